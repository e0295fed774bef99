import { expect } from "@jest/globals";
import { matchers } from "@tidybox/fixtures/adapter";
import { bridge } from "./bridge.ts";
import { refuseFixtures } from "./refuse-fixtures.ts";

expect.extend(matchers);
if (bridge() === undefined) refuseFixtures();
