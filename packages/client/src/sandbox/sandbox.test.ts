import { inspect } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ConfigurationError, NotFoundError } from "../errors/request-errors.ts";
import { SandboxFailedError } from "../errors/sandbox-errors.ts";
import { type TestService, startTestService } from "../testing/local-service.ts";
import { Sandbox } from "./sandbox.ts";

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
});
afterAll(async () => service?.[Symbol.asyncDispose]());

test("runs, shows what it is, and ends", async () => {
  const { connection } = service;
  const sandbox = await Sandbox.run({
    connection,
    tags: ["first", "second"],
    annotations: { test: "runs" },
    environment: { GREETING: "hello" },
    files: { "/workspace/in.txt": "from the start" },
    maxLifetimeSeconds: 120,
  });
  expect(sandbox).toMatchObject({
    state: "running",
    tags: ["first", "second"],
    annotations: { test: "runs" },
  });
  expect(sandbox.createdAt).toBeInstanceOf(Date);
  expect(inspect(sandbox)).toBe(`Sandbox { id: '${sandbox.id}', state: 'running' }`);
  expect(await sandbox.status()).toMatchObject({
    id: sandbox.id,
    state: "running",
    maxLifetimeSeconds: 120,
  });
  const { stdout } = await sandbox.exec(["sh", "-c", 'echo "$GREETING"; cat /workspace/in.txt']);
  expect(stdout).toBe("hello\nfrom the start");
  const result = await sandbox.stop({ gracefulShutdownSeconds: 0 });
  expect(result).toMatchObject({ sandboxId: sandbox.id, endedByItself: false, missing: false });
  expect(await sandbox.status()).toMatchObject({ state: result.state });
});

test("waits for a main process and tells its exit code", async () => {
  const { connection } = service;
  await using sandbox = await Sandbox.run(["sh", "-c", "exit 4"], { connection });
  expect(await sandbox.wait()).toMatchObject({ state: "completed", exitCode: 4 });
  expect(await sandbox.stop()).toMatchObject({ endedByItself: true, exitCode: 4 });
});

test("says why a main process cannot start, at once or as its end", async () => {
  const { connection } = service;
  const outcome = await Sandbox.run(["/no/such/program"], { connection }).then(
    (sandbox) => sandbox.wait(),
    (error: unknown) => error,
  );
  expect(outcome).toMatchObject({ stateReason: expect.stringContaining("/no/such/program") });
  if (outcome instanceof Error) expect(outcome).toBeInstanceOf(SandboxFailedError);
  else expect(outcome).toMatchObject({ state: "failed" });
});

test("refuses wrong options before anything is made", async () => {
  const { connection } = service;
  await expect(Sandbox.run([], { connection })).rejects.toThrow(/Option command must be a list/);
  await expect(Sandbox.run({ connection, tags: ["no spaces please"] })).rejects.toThrow(
    ConfigurationError,
  );
  expect(await Sandbox.list({ connection, tags: ["no"], showTerminated: true }).toArray()).toEqual(
    [],
  );
});

test("is found by its tags and its id, and deleted by its id", async () => {
  const { connection } = service;
  const sandbox = await Sandbox.run({ connection, tags: ["findable", "one"] });
  await using other = await Sandbox.run({ connection, tags: ["findable"] });
  expect(other.id).not.toBe(sandbox.id);
  const found = await Sandbox.list({ connection, tags: ["findable", "one"] }).toArray();
  expect(found.map(({ id }) => id)).toEqual([sandbox.id]);
  const again = await Sandbox.fromId(sandbox.id, { connection });
  expect(again.tags).toEqual(["findable", "one"]);
  expect(await Sandbox.delete(sandbox.id, { connection })).toBe(true);
  await again.wait();
  expect(await Sandbox.list({ connection, tags: ["findable", "one"] }).toArray()).toEqual([]);
  const ended = await Sandbox.list({
    connection,
    tags: ["findable", "one"],
    showTerminated: true,
  }).toArray();
  expect(ended).toHaveLength(1);
});

test("an unknown id is not found", async () => {
  const { connection } = service;
  await expect(Sandbox.fromId("sb-nobody", { connection })).rejects.toThrow(NotFoundError);
  await expect(Sandbox.fromId("sb-nobody", { connection })).rejects.toThrow(/sb-nobody/);
  await expect(Sandbox.delete("sb-nobody", { connection })).rejects.toThrow(NotFoundError);
  expect(await Sandbox.delete("sb-nobody", { connection, missingOk: true })).toBe(false);
});

test("ends with the block that made it", async () => {
  const { connection } = service;
  let id = "";
  {
    await using sandbox = await Sandbox.run({ connection });
    ({ id } = sandbox);
  }
  const { state } = await Sandbox.fromId(id, { connection });
  expect(["terminated", "completed", "failed"]).toContain(state);
});
