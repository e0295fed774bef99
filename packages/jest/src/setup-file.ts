import { expect } from "@jest/globals";
import { matchers } from "@tidybox/fixtures/adapter";

expect.extend(matchers);
