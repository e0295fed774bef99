import { readFileSync } from "node:fs";
import { Visibility } from "@tidybox/protocol";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { childrenOf, descendantsOf, procFile } from "../../testing/process-tree.ts";
import {
  createRunning,
  eventually,
  sh,
  specOf,
  startTestService,
  type TestService,
  untilEnded,
} from "../../testing/test-service.ts";

/** Hostnames of the sandboxes of one service, seen from outside, whoever has them. */
function hostnames(service: TestService): readonly string[] {
  return innerProcesses(service).map(({ hostname }) => hostname);
}

/** First processes (bwrap, in a pid namespace of its own) of all sandboxes below one service. */
function innerProcesses(service: TestService): readonly { pid: number; hostname: string }[] {
  const helpers = childrenOf(service.process.pid ?? 0);
  return helpers.flatMap(childrenOf).flatMap((outer) =>
    childrenOf(outer).flatMap((pid) => {
      try {
        if (procFile(outer, "comm").trim() !== "bwrap") return [];
        const hostname = readFileSync(`/proc/${pid}/root/run/sandbox/hostname`, "latin1");
        return [{ pid, hostname: hostname.trim() }];
      } catch {
        return [];
      }
    }),
  );
}

describe("a sandbox made ahead of need", () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startTestService({ engine: "bubblewrap" });
  });
  afterAll(() => service.close());

  /** The one that is ready while all others belong to somebody. */
  const spare = async (): Promise<{ pid: number; hostname: string }> => {
    let found: { pid: number; hostname: string } | undefined;
    await eventually(async () => {
      const { sandboxes } = await service.client.listSandboxes({});
      const taken = new Set(sandboxes.map(({ sandboxId }) => sandboxId));
      found = innerProcesses(service).find(({ hostname }) => !taken.has(hostname));
      return found !== undefined;
    });
    return found as { pid: number; hostname: string };
  };
  afterEach(() => service.client.purgeSandboxes({ purgeAll: true }));

  test("becomes whatever is asked for next, under its own name, and was touched by nobody", async () => {
    const first = await createRunning(service.client);
    await sh(service.client, first, "echo mine > /workspace/file; echo mine > /tmp/file");
    const { hostname } = await spare();
    const second = await createRunning(
      service.client,
      specOf({
        environmentVariables: { COLOR: "green" },
        files: [{ path: "/workspace/given", content: Buffer.from("given") }],
      }),
    );
    expect(second).toBe(hostname);
    const seen = await sh(
      service.client,
      second,
      "hostname; cat /etc/hostname; echo $COLOR; ls -A /workspace /tmp",
    );
    expect(seen.stdout).toBe(`${second}\n${second}\ngreen\n/tmp:\n\n/workspace:\ngiven\n`);
  });

  test("is not given to whoever needs what it has not: a network, a folder, a file at its start", async () => {
    await createRunning(service.client);
    const { hostname } = await spare();
    const ids = [
      await createRunning(service.client, specOf({}, { network: { denyEgress: true } })),
      await createRunning(service.client, specOf({ workingDir: "/elsewhere" })),
      await createRunning(
        service.client,
        specOf({ files: [{ path: "/etc/own", content: Buffer.from("own") }] }),
      ),
    ];
    expect(ids).not.toContain(hostname);
    expect(
      (
        await sh(
          service.client,
          ids[0] ?? "",
          "ls /sys/class/net 2>/dev/null; grep -c eth /proc/net/dev",
        )
      ).stdout,
    ).toBe("0\n");
    expect((await sh(service.client, ids[1] ?? "", "pwd")).stdout).toBe("/elsewhere\n");
    expect((await sh(service.client, ids[2] ?? "", "cat /etc/own")).stdout).toBe("own");
    expect(await createRunning(service.client)).toBe(hostname);
  });

  test("that has died meanwhile is given to nobody", async () => {
    await createRunning(service.client);
    const { pid, hostname } = await spare();
    process.kill(pid, "SIGKILL");
    const second = await createRunning(service.client);
    expect(second).not.toBe(hostname);
    expect((await sh(service.client, second, "echo here")).stdout).toBe("here\n");
  });

  test("is given to one only, however many ask at once", async () => {
    await createRunning(service.client);
    await spare();
    const ids = await Promise.all(Array.from({ length: 12 }, () => createRunning(service.client)));
    expect(new Set(ids).size).toBe(12);
    const said = await Promise.all(ids.map((id) => sh(service.client, id, "cat /etc/hostname")));
    expect(said.map(({ stdout }) => stdout.trim())).toEqual(ids);
  });

  test("is no sandbox to anybody who lists, and does not outlive the service", async () => {
    const own = await startTestService({ engine: "bubblewrap", maxSandboxes: 1 });
    const id = await createRunning(own.client);
    await eventually(() => hostnames(own).length === 2);
    const ready = innerProcesses(own).find(({ hostname }) => hostname !== id);
    expect((await own.client.listSandboxes({})).sandboxes.map((each) => each.sandboxId)).toEqual([
      id,
    ]);
    await own.client.deleteSandbox({ sandboxId: id });
    await untilEnded(own.client, id);
    expect(await createRunning(own.client)).toBe(ready?.hostname);
    const left = innerProcesses(own);
    await own.close();
    for (const { pid } of left) expect(() => process.kill(pid, 0)).toThrow("ESRCH");
  });
});

test("a sandbox made ahead of need has ports published when it becomes one with services, not before", async () => {
  const service = await startTestService({ engine: "bubblewrap" });
  try {
    const published = (): number =>
      descendantsOf(service.process.pid ?? 0).filter((pid) =>
        procFile(pid, "cmdline").includes("relay-main"),
      ).length;
    const spec = specOf({}, { services: [{ port: 80, visibility: Visibility.PUBLIC }] });
    const first = await createRunning(service.client, spec);
    let spare: string | undefined;
    await eventually(() => {
      spare = hostnames(service).find((hostname) => hostname !== first);
      return spare !== undefined;
    });
    expect(published()).toBe(1);
    expect(await createRunning(service.client, spec)).toBe(spare);
    expect(published()).toBe(2);
    await createRunning(service.client, specOf({}, { network: { denyEgress: true } }));
    expect(published()).toBe(2);
  } finally {
    await service.close();
  }
});
