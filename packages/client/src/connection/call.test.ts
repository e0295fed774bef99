import { type AddressInfo, createServer } from "node:net";
import { Code } from "@connectrpc/connect";
import { ErrorReason, State } from "@tidybox/protocol";
import { expect, test } from "vitest";
import { NotFoundError, TimeoutError, UnavailableError } from "../errors/request-errors.ts";
import { getSandbox } from "../sandbox/get.ts";
import { notFound, refusal, sandboxRecord, startFaultService } from "../testing/fault-service.ts";
import { call } from "./call.ts";
import { Connection } from "./connection.ts";

test("tries again what passes by itself, and obeys the service's hint", async () => {
  let calls = 0;
  await using service = await startFaultService({
    getSandbox: () => {
      calls += 1;
      if (calls === 1) throw refusal(Code.Unavailable);
      if (calls === 2)
        throw refusal(Code.FailedPrecondition, ErrorReason.BACKEND_UNAVAILABLE, {
          retryNanos: 1e6,
        });
      if (calls === 3)
        throw refusal(Code.ResourceExhausted, ErrorReason.RUNNER_OVERLOADED, { retryNanos: 1e6 });
      return sandboxRecord(State.RUNNING);
    },
  });
  await expect(getSandbox(service.connection, "sb-1")).resolves.toMatchObject({
    sandboxId: "sb-1",
  });
  expect(calls).toBe(4);
});

test("tries again when the connection breaks under a call", async () => {
  let calls = 0;
  await using service = await startFaultService({
    getSandbox: () => {
      calls += 1;
      if (calls === 1) service.cut();
      return sandboxRecord(State.RUNNING);
    },
  });
  await expect(getSandbox(service.connection, "sb-1")).resolves.toMatchObject({
    sandboxId: "sb-1",
  });
  expect(calls).toBe(2);
});

test("takes a final answer as final", async () => {
  let calls = 0;
  await using service = await startFaultService({
    getSandbox: () => {
      calls += 1;
      throw notFound();
    },
  });
  await expect(getSandbox(service.connection, "sb-1")).rejects.toThrow(NotFoundError);
  expect(calls).toBe(1);
});

test("never sends twice what may have been carried out, where that is not safe", async () => {
  let calls = 0;
  await using service = await startFaultService({
    writeFile: () => {
      calls += 1;
      service.cut();
      return {};
    },
  });
  const write = call(
    service.connection,
    { action: "write", sandboxId: "sb-1" },
    { retry: "unsent" },
    (client, options) => client.writeFile({ sandboxId: "sb-1", path: "/a" }, options),
  );
  await expect(write).rejects.toThrow(UnavailableError);
  await expect(write).rejects.toThrow(service.baseUrl);
  expect(calls).toBe(1);
});

test("gives up soon where nobody listens, with the address and what to do", async () => {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  using connection = new Connection({ baseUrl: `http://127.0.0.1:${port}`, apiKey: "k" });
  const failure = getSandbox(connection, "sb-1");
  await expect(failure).rejects.toThrow(UnavailableError);
  await expect(failure).rejects.toThrow(
    `http://127.0.0.1:${port} cannot be reached (connection refused)`,
  );
  await expect(failure).rejects.toThrow("tidybox serve");
});

test("rejects with the reason of the caller's signal, also between two tries", async () => {
  const giveUp = new AbortController();
  const reason = new Error("no longer wanted");
  await using service = await startFaultService({
    getSandbox: () => {
      giveUp.abort(reason);
      throw refusal(Code.Unavailable);
    },
  });
  await expect(getSandbox(service.connection, "sb-1", giveUp.signal)).rejects.toBe(reason);
  await expect(getSandbox(service.connection, "sb-1", giveUp.signal)).rejects.toBe(reason);
});

test("bounds each try, and sends the bound along", async () => {
  const limits: (number | undefined)[] = [];
  await using service = await startFaultService(
    {
      writeFile: async (_request, { timeoutMs, signal }) => {
        limits.push(timeoutMs());
        await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        return {};
      },
    },
    { requestTimeoutSeconds: 0.2 },
  );
  const hanging = call(
    service.connection,
    { action: "hang" },
    { retry: "unsent" },
    (client, options) => client.writeFile({}, options),
  );
  await expect(hanging).rejects.toThrow(TimeoutError);
  expect(limits).toHaveLength(1);
  expect(limits[0]).toBeLessThanOrEqual(200);
});
