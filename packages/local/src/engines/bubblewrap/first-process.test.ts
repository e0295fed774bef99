import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  createRunning,
  eventually,
  sh,
  startTestService,
  type TestService,
} from "../../testing/test-service.ts";

const ZOMBIES = "grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l";

describe("the first process of a sandbox", () => {
  let service: TestService;
  let id: string;
  beforeAll(async () => {
    service = await startTestService({ engine: "bubblewrap" });
    id = await createRunning(service.client);
  });
  afterAll(() => service.close());

  const inside = (script: string) => sh(service.client, id, script);

  test("is its process 1, and no process of bwrap's is beside it", async () => {
    expect((await inside("cat /proc/1/cmdline")).stdout).toMatch(/bin\/cat\0$/);
    expect((await inside("grep -l bwrap /proc/[0-9]*/comm")).stdout).toBe("");
  });

  test("leaves no zombie of what commands have started and left behind", async () => {
    const { stdout } = await inside(
      "for each in 1 2 3 4 5 6 7 8 9 10; do (sleep 1 &) ; done; sleep 0.1; ps -o ppid= -C sleep",
    );
    // Its own by now.
    expect(stdout.trim().split(/\s+/)).toContain("1");
    await eventually(async () => (await inside("pgrep -c sleep")).stdout === "0\n");
    expect((await inside(ZOMBIES)).stdout).toBe("0\n");
  });

  test("cannot be ended from inside", async () => {
    await inside("kill -KILL 1; kill -TERM 1; kill -HUP 1; kill -INT 1");
    expect((await inside("echo here")).stdout).toBe("here\n");
  });
});
