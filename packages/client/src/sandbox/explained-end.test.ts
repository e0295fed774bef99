import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { NotFoundError } from "../errors/request-errors.ts";
import { SandboxClosedError } from "../errors/sandbox-errors.ts";
import { type TestService, startTestService } from "../testing/local-service.ts";
import { attachSandbox, explainEnds } from "./attach.ts";
import { purgeByTags } from "./purge.ts";
import { Sandbox } from "./sandbox.ts";

let service: TestService;
beforeAll(async () => void (service = await startTestService({ engine: "process" })));
afterAll(() => service[Symbol.asyncDispose]());

test("a call on a sandbox whose main process has ended says so, with its exit code", async () => {
  const { connection } = service;
  await using sandbox = await Sandbox.run(["sh", "-c", "sleep 0.1; exit 7"], { connection });
  await sandbox.wait();
  const error = await sandbox.exec(["true"]).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(SandboxClosedError);
  expect(error).toMatchObject({ reason: "CWSANDBOX_SANDBOX_NOT_RUNNING", sandboxId: sandbox.id });
  expect(String(error)).toContain("has ended: its own main process ended with exit code 7.");
  expect((error as Error).stack).toContain("explained-end.test.ts");
});

test("its lifetime, and somebody else's stop, are told apart", async () => {
  const { connection } = service;
  await using short = await Sandbox.run({ connection, maxLifetimeSeconds: 1 });
  await using purged = await Sandbox.run({ connection, tags: ["purged-elsewhere"] });
  await purgeByTags(connection, ["purged-elsewhere"]);
  await expect(purged.writeFile("/tmp/a", "a")).rejects.toThrow(
    /somebody else stopped it .*purged/,
  );
  await short.wait();
  await expect(short.readFile("/tmp/a")).rejects.toThrow("its maximum lifetime of 1 s is over");
});

test("whoever knows more is asked first, and waited for only so long", async () => {
  const { connection } = service;
  await using sandbox = await Sandbox.run({ connection });
  await Sandbox.delete(sandbox.id, { connection });
  explainEnds(sandbox, () => Promise.resolve({ why: "the moon was full", advice: "Wait." }));
  await expect(sandbox.exec(["true"])).rejects.toThrow(/has ended: the moon was full\.[^]*Wait\./);
  explainEnds(sandbox, () => sleep(60_000, undefined, { ref: false }));
  const startedAt = performance.now();
  await expect(sandbox.exec(["true"])).rejects.toThrow("is not running");
  expect(performance.now() - startedAt).toBeLessThan(6000);
});

test("what is not there at all stays what it was", async () => {
  const sandbox = attachSandbox(service.connection, "sb-unknown");
  await expect(sandbox.exec(["true"])).rejects.toBeInstanceOf(NotFoundError);
});

test("a sandbox that lives on has no end to explain", async () => {
  const { connection } = service;
  await using sandbox = await Sandbox.run({ connection });
  await expect(sandbox.readFile("/tmp/not-there")).rejects.not.toThrow("has ended");
});
