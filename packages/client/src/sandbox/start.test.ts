import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { SandboxSpecSchema, State } from "@tidybox/protocol";
import { afterEach, expect, test, vi } from "vitest";
import { Connection } from "../connection/connection.ts";
import { QuotaError, TimeoutError, UnavailableError } from "../errors/request-errors.ts";
import { SandboxFailedError } from "../errors/sandbox-errors.ts";
import { refusal, sandboxRecord, startFaultService } from "../testing/fault-service.ts";
import { startSandbox } from "./start.ts";

const spec = create(SandboxSpecSchema, { tags: ["tidybox-run-r1"] });

afterEach(() => vi.restoreAllMocks());

/** Requests by key, as a service that keeps its promise about keys has them. */
function creates() {
  const keys: string[] = [];
  const deleted: string[] = [];
  return {
    keys,
    deleted,
    idFor: (key: string) => {
      keys.push(key);
      return `sb-${[...new Set(keys)].indexOf(key) + 1}`;
    },
  };
}

test("a lost answer does not make a second sandbox: the key stays", async () => {
  const { keys, idFor } = creates();
  await using service = await startFaultService({
    createSandbox: ({ requestId }) => {
      const id = idFor(requestId);
      if (keys.length === 1) service.cut();
      return sandboxRecord(State.RUNNING, id);
    },
  });
  const handle = await startSandbox(service.connection, spec, {});
  expect(handle.id).toBe("sb-1");
  expect(keys).toHaveLength(2);
  expect(new Set(keys).size).toBe(1);
});

test("waits until it runs, telling the id at once", async () => {
  const states = [State.PENDING, State.CREATING, State.TERMINATING, State.RUNNING];
  const accepted: string[] = [];
  await using service = await startFaultService({
    createSandbox: ({ requestId }) => sandboxRecord(State.PENDING, requestId),
    getSandbox: ({ sandboxId }) => {
      expect(accepted).toEqual(["key-1"]);
      return sandboxRecord(states.shift() ?? State.FAILED, sandboxId);
    },
  });
  const handle = await startSandbox(service.connection, spec, {
    requestId: "key-1",
    onAccepted: (id) => accepted.push(id),
  });
  expect(handle.record?.status?.state).toBe(State.RUNNING);
  expect(states).toEqual([]);
});

test("a main process that is over already is no failure", async () => {
  await using service = await startFaultService({
    createSandbox: () => sandboxRecord(State.CREATING),
    getSandbox: () => sandboxRecord(State.COMPLETED),
  });
  const handle = await startSandbox(service.connection, spec, {});
  expect(handle.record?.status?.state).toBe(State.COMPLETED);
});

test("one that cannot start is an error with the service's reason", async () => {
  await using service = await startFaultService({
    createSandbox: () => sandboxRecord(State.CREATING),
    getSandbox: () => sandboxRecord(State.FAILED, "sb-1", "image not found"),
  });
  const start = startSandbox(service.connection, spec, {});
  await expect(start).rejects.toThrow(SandboxFailedError);
  await expect(start).rejects.toMatchObject({ sandboxId: "sb-1", stateReason: "image not found" });
});

test("given up while its create is under way, it is stopped once the answer is there", async () => {
  const { deleted } = creates();
  const giveUp = new AbortController();
  const reason = new Error("test is over");
  await using service = await startFaultService({
    createSandbox: () => {
      giveUp.abort(reason);
      return sandboxRecord(State.CREATING);
    },
    deleteSandbox: ({ sandboxId, gracePeriodSeconds, allowMissing }) => {
      deleted.push(sandboxId);
      expect({ gracePeriodSeconds, allowMissing }).toEqual({
        gracePeriodSeconds: 0,
        allowMissing: true,
      });
      return { sandbox: sandboxRecord(State.TERMINATING, sandboxId) };
    },
  });
  const start = startSandbox(service.connection, spec, { signal: giveUp.signal });
  await expect(start).rejects.toBe(reason);
  expect(deleted).toEqual(["sb-1"]);
});

test("given up after an answer that was lost, it is asked for by its key again, and stopped", async () => {
  const { keys, deleted, idFor } = creates();
  const giveUp = new AbortController();
  await using service = await startFaultService({
    createSandbox: ({ requestId }) => {
      const id = idFor(requestId);
      if (keys.length === 1) {
        giveUp.abort(new Error("test is over"));
        service.cut();
      }
      return sandboxRecord(State.CREATING, id);
    },
    deleteSandbox: ({ sandboxId }) => {
      deleted.push(sandboxId);
      return {};
    },
  });
  await expect(startSandbox(service.connection, spec, { signal: giveUp.signal })).rejects.toThrow(
    "test is over",
  );
  expect(new Set(keys).size).toBe(1);
  expect(deleted).toEqual(["sb-1"]);
});

test("given up while a quota refuses it, nothing is asked for again", async () => {
  let calls = 0;
  const giveUp = new AbortController();
  await using service = await startFaultService({
    createSandbox: () => {
      calls += 1;
      giveUp.abort(new Error("test is over"));
      throw refusal(Code.ResourceExhausted);
    },
  });
  await expect(startSandbox(service.connection, spec, { signal: giveUp.signal })).rejects.toThrow(
    "test is over",
  );
  expect(calls).toBe(1);
});

test("one that does not run in time is stopped, and the error says what it was doing", async () => {
  const { deleted } = creates();
  await using service = await startFaultService({
    createSandbox: () => sandboxRecord(State.CREATING),
    getSandbox: () => sandboxRecord(State.CREATING, "sb-1", "pulling image"),
    deleteSandbox: ({ sandboxId }) => {
      deleted.push(sandboxId);
      return {};
    },
  });
  const start = startSandbox(service.connection, spec, { startTimeoutSeconds: 0.2 });
  await expect(start).rejects.toThrow(TimeoutError);
  await expect(start).rejects.toThrow(
    /sb-1 does not run after 0.2 s; it is creating: pulling image/,
  );
  expect(deleted).toEqual(["sb-1"]);
});

test("an undo that fails is a warning with id and command; the first error stays", async () => {
  const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
  const giveUp = new AbortController();
  await using service = await startFaultService({
    createSandbox: () => sandboxRecord(State.CREATING),
    getSandbox: () => {
      giveUp.abort(new Error("test is over"));
      return sandboxRecord(State.CREATING);
    },
    deleteSandbox: () => {
      throw refusal(Code.PermissionDenied);
    },
  });
  await expect(startSandbox(service.connection, spec, { signal: giveUp.signal })).rejects.toThrow(
    "test is over",
  );
  expect(warn.mock.calls.map(([message]) => String(message)).join()).toMatch(
    /sb-1.*tidybox reap --run r1/s,
  );
});

test("waits for quota, or leaves that to the caller", async () => {
  let calls = 0;
  await using service = await startFaultService({
    createSandbox: () => {
      calls += 1;
      if (calls !== 3) throw refusal(Code.ResourceExhausted, "", { retryNanos: 1e6 });
      return sandboxRecord(State.RUNNING);
    },
  });
  await expect(
    startSandbox(service.connection, spec, { whenQuotaExceeded: "throw" }),
  ).rejects.toThrow(QuotaError);
  expect(calls).toBe(1);
  await startSandbox(service.connection, spec, {});
  expect(calls).toBe(3);
});

test("a create that fails without saying whether it was done is found by its key, and stopped", async () => {
  const { keys, deleted, idFor } = creates();
  await using service = await startFaultService({
    createSandbox: ({ requestId }) => {
      const id = idFor(requestId);
      if (keys.length === 1) throw refusal(Code.Internal);
      return sandboxRecord(State.CREATING, id);
    },
    deleteSandbox: ({ sandboxId }) => {
      deleted.push(sandboxId);
      return {};
    },
  });
  await expect(startSandbox(service.connection, spec, {})).rejects.toMatchObject({
    code: "service_error",
  });
  expect(new Set(keys).size).toBe(1);
  expect(deleted).toEqual(["sb-1"]);
});

test("a service that loses every answer leaves a warning that something may be there", async () => {
  const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
  await using service = await startFaultService({
    createSandbox: () => {
      throw refusal(Code.Internal);
    },
  });
  await expect(startSandbox(service.connection, spec, {})).rejects.toMatchObject({
    code: "service_error",
  });
  expect(String(warn.mock.calls[0]?.[0])).toContain("create under way");
  await service[Symbol.asyncDispose]();
  warn.mockClear();
  using connection = new Connection({ baseUrl: service.baseUrl, apiKey: "k" });
  await expect(startSandbox(connection, spec, {})).rejects.toThrow(UnavailableError);
  expect(warn).not.toHaveBeenCalled();
});
