import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { childrenOf, descendantsOf, procFile } from "../../testing/process-tree.ts";
import {
  createRunning,
  eventually,
  run,
  sh,
  startTestService,
  type TestService,
  untilEnded,
} from "../../testing/test-service.ts";

describe("a shell that waits for its command in a sandbox", () => {
  let service: TestService;
  let id: string;
  beforeAll(async () => {
    service = await startTestService({ engine: "bubblewrap" });
    id = await createRunning(service.client);
  });
  afterAll(() => service.close());

  const inside = (script: string) => sh(service.client, id, script);
  /** One that waits, seen from outside. */
  const waiting = async (): Promise<number> => {
    let found: number | undefined;
    await eventually(() => {
      found = descendantsOf(service.process.pid ?? 0).find(
        (pid) =>
          procFile(pid, "cmdline").endsWith("tidybox-shell\0") &&
          !/^(nsenter|setpriv)$/m.test(procFile(pid, "comm")),
      );
      return found !== undefined;
    });
    return found as number;
  };

  test("that was killed while it waited has run nothing: the command runs, and once", async () => {
    for (let round = 0; round < 5; round += 1) {
      process.kill(await waiting(), "SIGKILL");
      const script = `echo run >> /workspace/runs-${round}; cat /workspace/runs-${round}`;
      expect(await inside(script)).toEqual({ stdout: "run\n", stderr: "", exitCode: 0 });
    }
  });

  test(
    "that was stopped is given up, and the command runs in another way",
    { timeout: 30_000 },
    async () => {
      process.kill(await waiting(), "SIGSTOP");
      // Whoever takes the stopped one waits for it, and is not left waiting.
      const said = await Promise.all([inside("echo one"), inside("echo two")]);
      expect(said.map(({ stdout }) => stdout)).toEqual(["one\n", "two\n"]);
    },
  );

  test("gives its command the environment and the input of any other, and no more", async () => {
    await waiting();
    const { stdout } = await run(service.client, id, "env");
    expect(
      stdout
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => line.split("=")[0])
        .toSorted(),
    ).toEqual(["HOME", "LANG", "PATH"]);
    await waiting();
    expect((await run(service.client, id, "readlink", "/proc/self/fd/0")).stdout).toBe(
      "/dev/null\n",
    );
    await waiting();
    expect((await inside("ls /proc/self/fd")).stdout).toBe("0\n1\n2\n3\n");
  });

  test("leaves no zombie when its command is killed: the sandbox ends at once all the same", async () => {
    const sandbox = await createRunning(service.client);
    const call = new AbortController();
    const running = service.client.exec(
      { sandboxId: sandbox, command: ["sleep", "600"] },
      { signal: call.signal },
    );
    await eventually(
      async () => (await sh(service.client, sandbox, "pgrep -x sleep")).exitCode === 0,
    );
    call.abort();
    await expect(running).rejects.toThrow("aborted");
    await eventually(
      async () => (await sh(service.client, sandbox, "pgrep -x sleep")).exitCode !== 0,
    );
    await service.client.deleteSandbox({ sandboxId: sandbox });
    await untilEnded(service.client, sandbox);
    expect(hasZombie()).toBe(false);
  });

  test("waits in the sandboxes that were used last only: each costs a process", async () => {
    const ids = await Promise.all(Array.from({ length: 24 }, () => createRunning(service.client)));
    for (const each of ids) await run(service.client, each, "true");
    const shells = () =>
      descendantsOf(service.process.pid ?? 0).filter(
        (pid) =>
          procFile(pid, "cmdline").endsWith("tidybox-shell\0") &&
          procFile(pid, "comm").trim() === "nsenter",
      ).length;
    await eventually(() => shells() <= 16);
    expect(shells()).toBeGreaterThan(0);
    for (const each of ids)
      expect((await run(service.client, each, "echo", each)).stdout).toBe(`${each}\n`);
    await Promise.all(ids.map((sandboxId) => service.client.deleteSandbox({ sandboxId })));
  });

  test("and a command that stops itself hold up neither the one who lets it go on nor the end", async () => {
    const sandbox = await createRunning(service.client);
    const stopped = sh(service.client, sandbox, "echo $$ > pid; kill -STOP $$; exit 5");
    const other = (script: string) => sh(service.client, sandbox, script);
    const isStopped = "grep -q 'T (stopped)' /proc/$(cat pid)/status";
    await eventually(async () => (await other(isStopped)).exitCode === 0);
    await other("kill -CONT $(cat pid)");
    expect((await stopped).exitCode).toBe(5);
    const again = sh(service.client, sandbox, "rm pid; echo $$ > pid; kill -STOP $$").catch(
      () => undefined,
    );
    await eventually(async () => (await other(isStopped)).exitCode === 0);
    await service.client.deleteSandbox({ sandboxId: sandbox });
    await untilEnded(service.client, sandbox);
    await again;
  });
});

/** Whether this machine's first process has a child to reap that is one of ours. */
function hasZombie(): boolean {
  return childrenOf(1).some((pid) => /^\d+ \(sleep\) Z/.test(procFile(pid, "stat")));
}
