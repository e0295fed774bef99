import { readdirSync, readFileSync, rmSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Code } from "@connectrpc/connect";
import { create } from "@bufbuild/protobuf";
import { ErrorReason, ExecStreamRequestSchema, SandboxSpecSchema, State } from "@tidybox/protocol";
import { markedProcesses } from "./engines/process/marked-processes.ts";
import {
  createRunning,
  eventually,
  refusalOf,
  sh,
  specOf,
  startTestService,
  stateFolders,
  type TestService,
  untilEnded,
} from "./testing/test-service.ts";
import { procFile } from "./testing/process-tree.ts";
import { testedEngines } from "./testing/tested-engines.ts";

function childrenOf(pid: number): readonly number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((candidate) => {
      try {
        const stat = readFileSync(`/proc/${candidate}/stat`, "latin1");
        return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) === pid;
      } catch {
        return false;
      }
    });
}

async function* once<T>(item: T): AsyncGenerator<T> {
  yield item;
}

/** The helper is the service's only child. */
function helperOf(service: TestService): number {
  const [helper] = childrenOf(service.process.pid ?? 0);
  if (helper === undefined) throw new Error("the service has no helper");
  return helper;
}

describe.each(testedEngines)("a crash with the engine %s", (engine) => {
  async function busySandbox(service: TestService, mark: string): Promise<string> {
    const spec = specOf({
      command: "/bin/sh",
      args: ["-c", "sleep 600 & wait"],
      environmentVariables: { CRASH_TEST: mark },
    });
    const sandboxId = await createRunning(service.client, spec);
    await sh(
      service.client,
      sandboxId,
      "setsid sh -c 'setsid sleep 600 & sleep 600' >/dev/null 2>&1 &",
    );
    await eventually(() => markedProcesses(`CRASH_TEST=${mark}`).length >= 4);
    return sandboxId;
  }

  test("of the helper ends its sandboxes as FAILED, and new ones are refused in words", async (context) => {
    if (engine === "docker") context.skip("no sandbox of Docker is the helper's");
    const service = await startTestService({ engine });
    try {
      const mark = `helper-${engine}`;
      const sandboxId = await busySandbox(service, mark);
      const command = ["/bin/sh", "-c", "echo runs; sleep 600"];
      const init = { case: "init", value: { sandboxId, command } } as const;
      const requests = once(create(ExecStreamRequestSchema, { message: init }));
      const responses = service.client.streamExec(requests);
      const running = responses[Symbol.asyncIterator]();
      // Until it has said something, the helper may not have told of it.
      while ((await running.next()).value?.message.case !== "output");
      process.kill(helperOf(service), "SIGKILL");
      const ended = await untilEnded(service.client, sandboxId);
      expect(ended.status).toMatchObject({
        state: State.FAILED,
        stateReason: expect.stringContaining("helper"),
      });
      expect((await running.next()).value?.message).toMatchObject({
        case: "exit",
        value: { exitCode: 137 },
      });
      await eventually(() => markedProcesses(`CRASH_TEST=${mark}`).length === 0);
      expect(
        await refusalOf(service.client.createSandbox({ sandbox: { spec: specOf() } })),
      ).toMatchObject({
        code: Code.Unavailable,
        reason: ErrorReason.BACKEND_UNAVAILABLE,
        message: expect.stringContaining("restart"),
      });
    } finally {
      await service.close();
    }
  });

  test("of the service leaves no process; the next service removes its folder", async () => {
    const crashed = await startTestService({ engine });
    const mark = `service-${engine}`;
    const sandboxId = await busySandbox(crashed, mark);
    await sh(crashed.client, sandboxId, "mkdir -p locked/in && chmod 000 locked");
    const helper = helperOf(crashed);
    crashed.process.kill("SIGKILL");
    await eventually(() => markedProcesses(`CRASH_TEST=${mark}`).length === 0);
    await eventually(() => !readdirSync("/proc").includes(String(helper)));
    expect(stateFolders(crashed)).toHaveLength(1);
    const before = process.env["TMPDIR"];
    process.env["TMPDIR"] = crashed.folder;
    const { removeLeftovers } = await import("./state-folder/leftovers.ts");
    try {
      const notices: unknown[] = [];
      await removeLeftovers((notice) => void notices.push(notice));
      expect(notices).toEqual([]);
      expect(stateFolders(crashed)).toEqual([]);
    } finally {
      if (before === undefined) delete process.env["TMPDIR"];
      else process.env["TMPDIR"] = before;
    }
    // The folder is empty now; the exit by signal is what was done to it.
    await crashed.close().catch((error: Error) => expect(error.message).toContain("SIGKILL"));
  });
});

/** Of the helper's session, which everything that it starts belongs to at first. */
function sessionMembers(session: number): readonly number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => {
      const stat = pid > 0 ? procFile(pid, "stat") : "";
      const [state, , , sid] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return Number(sid) === session && state !== "Z";
    });
}

test.runIf(process.platform === "linux")(
  "a helper killed while it makes sandboxes leaves none that is half made",
  async () => {
    for (let round = 0; round < 5; round += 1) {
      const service = await startTestService({ engine: "bubblewrap" });
      const helper = helperOf(service);
      const sandbox = { spec: create(SandboxSpecSchema, specOf()) };
      for (let each = 0; each < 8; each += 1)
        void service.client.createSandbox({ sandbox }).catch(() => {});
      // Somewhere between their first step and the one that lets the sandbox go on.
      const stopped = new Set<number>();
      await eventually(() => {
        const makers = childrenOf(helper).filter((pid) =>
          procFile(pid, "cmdline").includes("bwrap"),
        );
        for (const pid of makers.filter((each) => !stopped.has(each))) {
          process.kill(pid, "SIGSTOP");
          stopped.add(pid);
        }
        return stopped.size >= 4;
      });
      process.kill(helper, "SIGKILL");
      await eventually(() => sessionMembers(helper).length === 0);
      service.process.kill("SIGTERM");
      await new Promise((resolve) => service.process.once("exit", resolve));
      rmSync(service.folder, { recursive: true, force: true });
    }
  },
  60_000,
);
