import { Code } from "@connectrpc/connect";
import { listenOnLoopback } from "@tidybox/local";
import { SandboxService, State } from "@tidybox/protocol";
import { expect, test } from "vitest";
import { NotFoundError, TimeoutError, UnavailableError } from "../errors/request-errors.ts";
import { getSandbox } from "../sandbox/get.ts";
import { refusal, sandboxRecord } from "../testing/fault-service.ts";
import { call } from "./call.ts";
import { accessOf, type Connection } from "./connection.ts";
import { connectInProcess } from "./in-memory-transport.ts";

/** A service of this process that answers `sb-1`, and `sb-slow` never. */
async function started() {
  const seen: (string | null)[] = [];
  const service = await listenOnLoopback({
    routes: (router) =>
      router.service(SandboxService, {
        getSandbox: async ({ sandboxId }, { signal, requestHeader }) => {
          seen.push(requestHeader.get("authorization"));
          if (sandboxId === "sb-slow")
            await new Promise((resolve) => signal.addEventListener("abort", resolve));
          if (sandboxId !== "sb-1") throw refusal(Code.NotFound);
          return sandboxRecord(State.RUNNING);
        },
      }),
  });
  const connection = connectInProcess(service);
  return {
    service,
    seen,
    connection,
    [Symbol.asyncDispose]: async () => {
      connection.close();
      await service.close();
    },
  };
}

const getSlow = (connection: Connection, rules: { tryTimeoutSeconds?: number } = {}) =>
  call(
    connection,
    { action: "look at a sandbox", sandboxId: "sb-slow" },
    { retry: "unsent", ...rules },
    (client, options) => client.getSandbox({ sandboxId: "sb-slow" }, options),
  );

test("calls a service of this process without its token, and keeps that for other processes", async () => {
  await using rig = await started();
  const { connection, service } = rig;
  expect(await getSandbox(connection, "sb-1")).toMatchObject({ sandboxId: "sb-1" });
  expect(rig.seen).toEqual([null]);
  expect(connection.answered).toBe(true);
  expect(accessOf(connection)).toMatchObject({ baseUrl: service.baseUrl, apiKey: service.token });
});

test("has the errors of any connection", async () => {
  await using rig = await started();
  const { connection } = rig;
  await expect(getSandbox(connection, "sb-2")).rejects.toThrow(NotFoundError);
  await expect(getSlow(connection, { tryTimeoutSeconds: 0.05 })).rejects.toThrow(TimeoutError);
  await expect(getSandbox(connection, "sb-1")).resolves.toMatchObject({ sandboxId: "sb-1" });
});

test("breaks what is under way when it closes, and fails calls after that, with a name", async () => {
  await using rig = await started();
  const { connection } = rig;
  const broken = getSlow(connection).catch((error: unknown) => error);
  await expect.poll(() => rig.seen).toHaveLength(1);
  connection.close();
  connection.close();
  expect(await broken).toBeInstanceOf(UnavailableError);
  expect(await broken).toMatchObject({ message: expect.stringContaining("broke") });
  await expect(getSandbox(connection, "sb-1")).rejects.toMatchObject({ code: "connection_closed" });
});

test("says that a service that has closed cannot be reached", async () => {
  await using rig = await started();
  const { connection, service } = rig;
  await getSandbox(connection, "sb-1");
  await service.close();
  await expect(getSandbox(connection, "sb-1")).rejects.toMatchObject({
    name: "UnavailableError",
    message: expect.stringContaining("cannot be reached (connection refused)"),
  });
});
