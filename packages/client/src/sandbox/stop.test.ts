import { Code } from "@connectrpc/connect";
import { State } from "@tidybox/protocol";
import { afterEach, expect, test, vi } from "vitest";
import { NotFoundError, TimeoutError } from "../errors/request-errors.ts";
import { SandboxClosedError } from "../errors/sandbox-errors.ts";
import { notFound, refusal, sandboxRecord, startFaultService } from "../testing/fault-service.ts";
import { attachSandbox } from "./attach.ts";
import { Sandbox } from "./sandbox.ts";

afterEach(() => vi.restoreAllMocks());

test("stops at once and one after the other are one stop, with the grace of the first", async () => {
  const graces: number[] = [];
  const states = [State.TERMINATING, State.TERMINATED];
  await using service = await startFaultService({
    deleteSandbox: ({ gracePeriodSeconds }) => {
      graces.push(gracePeriodSeconds);
      return { sandbox: sandboxRecord(State.TERMINATING) };
    },
    getSandbox: () => sandboxRecord(states.shift() ?? State.UNSPECIFIED),
  });
  const sandbox = attachSandbox(service.connection, "sb-1");
  const [first, second] = await Promise.all([
    sandbox.stop(),
    sandbox.stop({ gracefulShutdownSeconds: 3 }),
  ]);
  expect(first).toEqual({
    sandboxId: "sb-1",
    state: "terminated",
    exitCode: undefined,
    endedByItself: false,
    snapshotIds: [],
    missing: false,
  });
  expect([second, await sandbox.stop()]).toEqual([first, first]);
  expect(graces).toEqual([10]);
  expect(states).toEqual([]);
  await expect(sandbox.exec(["true"])).rejects.toThrow(SandboxClosedError);
});

test("tells a sandbox that had ended by itself", async () => {
  await using service = await startFaultService({
    deleteSandbox: () => {
      const sandbox = sandboxRecord(State.COMPLETED);
      if (sandbox.status !== undefined) sandbox.status.exitCode = 3;
      return { sandbox };
    },
  });
  const result = await attachSandbox(service.connection, "sb-1").stop();
  expect(result).toMatchObject({ state: "completed", exitCode: 3, endedByItself: true });
});

test("a stop whose answer was lost is done when the sandbox is gone", async () => {
  let calls = 0;
  await using service = await startFaultService({
    deleteSandbox: () => {
      calls += 1;
      if (calls > 1) throw notFound();
      service.cut();
      return {};
    },
  });
  const sandbox = attachSandbox(service.connection, "sb-1");
  await expect(sandbox.stop()).resolves.toMatchObject({ missing: false });
  expect(calls).toBe(2);
});

test("a missing sandbox is an error, unless that is well enough", async () => {
  await using service = await startFaultService({
    deleteSandbox: ({ allowMissing }) => {
      if (!allowMissing) throw notFound();
      return {};
    },
  });
  const { connection } = service;
  await expect(attachSandbox(connection, "sb-1").stop()).rejects.toThrow(NotFoundError);
  await expect(attachSandbox(connection, "sb-1").stop({ missingOk: true })).resolves.toMatchObject({
    missing: true,
  });
  await expect(Sandbox.delete("sb-1", { connection })).rejects.toThrow(NotFoundError);
  await expect(Sandbox.delete("sb-1", { connection, missingOk: true })).resolves.toBe(false);
});

test("a stop that failed can be tried again", async () => {
  let calls = 0;
  await using service = await startFaultService({
    deleteSandbox: () => {
      calls += 1;
      if (calls === 1) throw refusal(Code.PermissionDenied);
      return { sandbox: sandboxRecord(State.TERMINATED) };
    },
  });
  const sandbox = attachSandbox(service.connection, "sb-1");
  await expect(sandbox.stop()).rejects.toMatchObject({ code: "authentication_error" });
  await expect(sandbox.stop()).resolves.toMatchObject({ state: "terminated" });
});

test("one that does not end in time is an error with its id and state", async () => {
  await using service = await startFaultService({
    deleteSandbox: () => ({ sandbox: sandboxRecord(State.TERMINATING) }),
    getSandbox: () => sandboxRecord(State.TERMINATING),
  });
  const stop = attachSandbox(service.connection, "sb-1").stop({ timeoutSeconds: 0.1 });
  await expect(stop).rejects.toThrow(TimeoutError);
  await expect(stop).rejects.toThrow(
    /sb-1 has not ended within 0.1 s of its stop; it was last seen terminating/,
  );
});

test("leaving a block keeps the block's own error, and warns of what may be left", async () => {
  const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
  await using service = await startFaultService({
    deleteSandbox: () => {
      throw refusal(Code.PermissionDenied);
    },
  });
  const body = new Error("the body's own");
  const block = async () => {
    await using sandbox = attachSandbox(service.connection, sandboxRecord(State.RUNNING));
    expect(sandbox.state).toBe("running");
    throw body;
  };
  await expect(block()).rejects.toBe(body);
  expect(String(warn.mock.calls[0]?.[0])).toMatch(/sb-1: Could not stop.*tidybox reap --run r1/s);
});

/** Takes the delete, and ends the sandbox when it is told. */
async function slow() {
  let ended = false;
  let deletes = 0;
  const service = await startFaultService({
    deleteSandbox: () => {
      deletes += 1;
      return { sandbox: sandboxRecord(State.TERMINATING) };
    },
    getSandbox: () => sandboxRecord(ended ? State.TERMINATED : State.TERMINATING),
  });
  return Object.assign(service, { end: () => (ended = true), deletes: () => deletes });
}

test("each of several stops waits within its own limits, and the stop goes on for the others", async () => {
  await using service = await slow();
  const sandbox = attachSandbox(service.connection, "sb-1");
  const giveUp = new AbortController();
  const first = sandbox.stop({ signal: giveUp.signal });
  const second = sandbox.stop({ timeoutSeconds: 0.1 });
  const third = sandbox.stop();
  await expect(second).rejects.toThrow(/sb-1 has not ended within 0.1 s/);
  giveUp.abort(new Error("enough"));
  await expect(first).rejects.toThrow("enough");
  service.end();
  await expect(third).resolves.toMatchObject({ state: "terminated" });
  expect(service.deletes()).toBe(1);
});

test("a stop that all have given up can be tried again", async () => {
  await using service = await slow();
  const sandbox = attachSandbox(service.connection, "sb-1");
  await expect(sandbox.stop({ timeoutSeconds: 0.05 })).rejects.toThrow(TimeoutError);
  service.end();
  await expect(sandbox.stop()).resolves.toMatchObject({ state: "terminated" });
  expect(service.deletes()).toBe(2);
  const aborted = AbortSignal.abort(new Error("before it began"));
  await expect(attachSandbox(service.connection, "sb-2").stop({ signal: aborted })).rejects.toThrow(
    "before it began",
  );
  expect(service.deletes()).toBe(2);
});

test("whoever joins says by himself whether a missing sandbox is an error", async () => {
  await using service = await startFaultService({
    deleteSandbox: () => {
      throw notFound();
    },
  });
  const sandbox = attachSandbox(service.connection, "sb-1");
  const first = sandbox.stop();
  const second = sandbox.stop({ missingOk: true });
  await expect(first).rejects.toThrow(NotFoundError);
  await expect(second).resolves.toMatchObject({ missing: true });
});
