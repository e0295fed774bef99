import { inspect } from "node:util";
import { Code } from "@connectrpc/connect";
import { State } from "@tidybox/protocol";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { CleanupError } from "../errors/cleanup-error.ts";
import { cleanupErrorsOf } from "../errors/first-error.ts";
import { withSession } from "../session/with-session.ts";
import { refusal, sandboxRecord, startFaultService } from "../testing/fault-service.ts";
import { type TestService, startTestService } from "../testing/local-service.ts";
import { attachSandbox } from "./attach.ts";
import { Sandbox } from "./sandbox.ts";
import { withSandbox } from "./with-sandbox.ts";

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
});
afterAll(async () => service?.[Symbol.asyncDispose]());
afterEach(() => vi.restoreAllMocks());

const stateOf = async (id: string) =>
  (await Sandbox.fromId(id, { connection: service.connection })).state;

test("answers what the body does, in every form, and stops the sandbox after it", async () => {
  const { connection } = service;
  const ids: string[] = [];
  const note = ({ id }: Sandbox) => ids.push(id);
  expect(await withSandbox({ connection }, note)).toBe(1);
  expect(await withSandbox(["sleep", "60"], { connection }, async (box) => note(box))).toBe(2);
  const { baseUrl } = connection;
  vi.stubEnv("CWSANDBOX_BASE_URL", baseUrl);
  vi.stubEnv("CWSANDBOX_API_KEY", service.apiKey);
  expect(await withSandbox(note)).toBe(3);
  expect(await withSandbox(["sleep", "60"], note)).toBe(4);
  vi.unstubAllEnvs();
  for (const id of ids) expect(["terminated", "completed"]).toContain(await stateOf(id));
  await expect(withSandbox({ connection } as never)).rejects.toThrow(/Option body/);
});

test("throws the body's error, and the sandbox is stopped all the same", async () => {
  const { connection } = service;
  const error = new Error("the body's own");
  let id = "";
  const run = withSandbox({ connection }, async (sandbox) => {
    ({ id } = sandbox);
    throw error;
  });
  await expect(run).rejects.toBe(error);
  expect(cleanupErrorsOf(error)).toEqual([]);
  expect(["terminated", "completed"]).toContain(await stateOf(id));
});

/** Starts every sandbox and stops none. */
const stubborn = () =>
  startFaultService({
    createSandbox: () => sandboxRecord(State.RUNNING),
    deleteSandbox: () => {
      throw refusal(Code.PermissionDenied);
    },
  });

test("keeps the cleanup's error with the body's, of both where two are left", async () => {
  await using faulty = await stubborn();
  const { connection } = faulty;
  const error = new Error("the body's own");
  const run = withSession({ connection }, (session) => {
    session.adopt(attachSandbox(connection, "sb-2"));
    return withSandbox({ connection }, () => {
      throw error;
    });
  });
  await expect(run).rejects.toBe(error);
  expect(cleanupErrorsOf(error).map(({ failures }) => failures[0]?.sandboxId)).toEqual([
    "sb-1",
    "sb-2",
  ]);
  expect(inspect(error)).toMatch(/cleanupErrors:.*sb-1: Could not stop/s);
});

test("an error of the cleanup alone is thrown", async () => {
  await using faulty = await stubborn();
  const { connection } = faulty;
  await expect(withSandbox({ connection }, () => 1)).rejects.toThrow(CleanupError);
  const session = withSession({ connection }, (each) => each.adopt(attachSandbox(connection, "a")));
  await expect(session).rejects.toThrow(CleanupError);
});

test("what the body's error cannot hold is a process warning", async () => {
  const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
  await using faulty = await stubborn();
  const { connection } = faulty;
  for (const thrown of ["a text", undefined, Object.freeze(new Error("frozen"))]) {
    const run = withSandbox({ connection }, () => Promise.reject(thrown));
    await expect(run.catch((error: unknown) => ({ error }))).resolves.toEqual({ error: thrown });
  }
  expect(warn).toHaveBeenCalledTimes(3);
  expect(String(warn.mock.calls[0]?.[0])).toContain("sb-1");
});
