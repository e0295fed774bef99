import { fork } from "node:child_process";
import { once } from "node:events";
import { globSync } from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { State } from "@tidybox/protocol";
import { expect, test } from "vitest";
import { childrenOf } from "./process-tree.ts";
import { SIMULATED_OUTPUT } from "./simulated-engine.ts";
import { connectTo, createRunning, run, type ServiceClient, untilEnded } from "./test-service.ts";

interface Simulated extends AsyncDisposable {
  readonly client: ServiceClient;
  readonly pid: number;
  readonly folder: string;
}

async function serveSimulated(options: object): Promise<Simulated> {
  const folder = await mkdtemp("/tmp/local-test-");
  await chmod(folder, 0o1777);
  const main = fileURLToPath(new URL("serve-simulated.ts", import.meta.url));
  const child = fork(main, [JSON.stringify(options)], {
    env: { ...process.env, TMPDIR: folder },
    execArgv: [],
    stdio: ["ignore", "pipe", "ignore", "ipc"],
  });
  const printed: string[] = [];
  if (child.stdout === null || child.pid === undefined) throw new Error("it did not start");
  for await (const line of createInterface({ input: child.stdout })) {
    printed.push(line);
    if (printed.length === 2) break;
  }
  const [baseUrl = "", token = ""] = printed.map((line) => line.slice(line.indexOf("=") + 1));
  return {
    client: connectTo(baseUrl, token),
    pid: child.pid,
    folder,
    [Symbol.asyncDispose]: async () => {
      const exited = once(child, "exit");
      child.kill("SIGTERM");
      expect(await exited).toEqual([0, null]);
      await rm(folder, { recursive: true });
    },
  };
}

test("simulated sandboxes run, answer and end, without a process or a folder of their own", async () => {
  await using service = await serveSimulated({});
  const { client, pid, folder } = service;
  const ids = await Promise.all(Array.from({ length: 50 }, () => createRunning(client)));
  // The helper, which every service has.
  expect(childrenOf(pid)).toHaveLength(1);
  expect(childrenOf(childrenOf(pid)[0] ?? 0)).toEqual([]);
  expect(globSync(join(folder, "*/{sandboxes,processes}/*"))).toEqual([]);
  const [sandboxId = ""] = ids;
  const answer = { stdout: SIMULATED_OUTPUT, stderr: "", exitCode: 0 };
  expect(await run(client, sandboxId, "anything")).toEqual(answer);
  await Promise.all(ids.map((id) => client.deleteSandbox({ sandboxId: id })));
  for (const id of ids) expect((await untilEnded(client, id)).status?.state).toBe(State.TERMINATED);
  await expect(run(client, sandboxId, "anything")).rejects.toThrow(/TERMINATED/);
});

test("a service with simulated sandboxes meets the faults that it was told of", async () => {
  await using service = await serveSimulated({ faults: { quota: 2, latency: { start: "1s" } } });
  const { client } = service;
  const spec = { sandbox: { spec: { containers: [{ name: "main", image: "i" }] } } };
  const first = await client.createSandbox(spec);
  expect(first.status?.state).toBe(State.CREATING);
  await client.createSandbox(spec);
  await expect(client.createSandbox(spec)).rejects.toThrow(/2 sandboxes are active/);
});
