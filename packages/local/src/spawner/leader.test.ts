import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { killMarkedProcesses, markedProcesses } from "../engines/process/marked-processes.ts";
import { killUnfinished } from "./leader.ts";

const FORKS = "i=0; while [ $i -lt 200 ]; do sleep 1000 & i=$((i+1)); done; wait";

test.runIf(process.platform === "linux")(
  "what is killed while it starts somebody takes that one along",
  async () => {
    const id = randomUUID();
    const env = { PATH: "/usr/bin:/bin", TIDYBOX_TEST_MARK: id };
    for (let index = 0; index < 100; index += 1) {
      const starting = spawn("sh", ["-c", FORKS], { env, stdio: "ignore" });
      const gone = once(starting, "exit");
      // Each at another moment, in the middle of its forks.
      await sleep(2 + (index % 10));
      killUnfinished(starting.pid ?? 0);
      await gone;
    }
    const left = markedProcesses(`TIDYBOX_TEST_MARK=${id}`);
    killMarkedProcesses(`TIDYBOX_TEST_MARK=${id}`);
    expect(left).toEqual([]);
  },
);
