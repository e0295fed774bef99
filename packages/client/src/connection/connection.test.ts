import { spawn } from "node:child_process";
import { once } from "node:events";
import { inspect } from "node:util";
import { afterEach, expect, test, vi } from "vitest";
import { AuthenticationError, ConfigurationError } from "../errors/request-errors.ts";
import { getSandbox } from "../sandbox/get.ts";
import { Code } from "@connectrpc/connect";
import { State } from "@tidybox/protocol";
import { refusal, sandboxRecord, startFaultService } from "../testing/fault-service.ts";
import { Connection } from "./connection.ts";

afterEach(() => vi.unstubAllEnvs());

test("sends the key with each call, and shows it nowhere", async () => {
  const seen: (string | null)[] = [];
  await using service = await startFaultService({
    getSandbox: (_request, { requestHeader }) => {
      seen.push(requestHeader.get("authorization"));
      return sandboxRecord(State.RUNNING);
    },
  });
  const { connection } = service;
  await getSandbox(connection, "sb-1");
  expect(seen).toEqual(["Bearer secret-key"]);
  const shown = [
    inspect(connection, { depth: 9, showHidden: true }),
    JSON.stringify(connection),
    String(connection),
  ];
  expect(shown.join("\n")).not.toContain("secret-key");
  expect(JSON.parse(JSON.stringify(connection))).toEqual({
    baseUrl: service.baseUrl,
    requestTimeoutSeconds: 30,
  });
});

test("reads the environment when it is made", async () => {
  const seen: (string | null)[] = [];
  await using service = await startFaultService({
    getSandbox: (_request, { requestHeader }) => {
      seen.push(requestHeader.get("authorization"));
      throw refusal(Code.Unauthenticated);
    },
  });
  vi.stubEnv("CWSANDBOX_BASE_URL", service.baseUrl);
  vi.stubEnv("CWSANDBOX_API_KEY", "from-environment");
  using connection = new Connection();
  await expect(getSandbox(connection, "sb-1")).rejects.toThrow(AuthenticationError);
  vi.stubEnv("CWSANDBOX_API_KEY", "");
  using keyless = new Connection();
  await expect(getSandbox(keyless, "sb-1")).rejects.toThrow(
    /No API key was sent: set CWSANDBOX_API_KEY/,
  );
  expect(seen).toEqual(["Bearer from-environment", null]);
});

test("refuses a missing or broken key before any call", () => {
  vi.stubEnv("CWSANDBOX_BASE_URL", undefined);
  vi.stubEnv("CWSANDBOX_API_KEY", undefined);
  expect(() => new Connection()).toThrow(/CWSANDBOX_API_KEY/);
  vi.stubEnv("CWSANDBOX_API_KEY", "se cret");
  expect(() => new Connection()).toThrow(ConfigurationError);
  expect(() => new Connection()).not.toThrow(/se cret/);
  expect(() => new Connection({ apiKey: "k", requestTimeoutSeconds: 0 })).toThrow(
    /requestTimeoutSeconds/,
  );
});

test("fails calls after its close, with a name", async () => {
  await using service = await startFaultService({ getSandbox: () => sandboxRecord(State.RUNNING) });
  service.connection.close();
  service.connection.close();
  await expect(getSandbox(service.connection, "sb-1")).rejects.toMatchObject({
    code: "connection_closed",
  });
});

test("connects again after a loss", async () => {
  await using service = await startFaultService({ getSandbox: () => sandboxRecord(State.RUNNING) });
  await getSandbox(service.connection, "sb-1");
  service.cut();
  await expect(getSandbox(service.connection, "sb-1")).resolves.toMatchObject({
    sandboxId: "sb-1",
  });
});

/** Runs a script in a Node process of its own, on the built package; resolves to its exit status. */
async function exitOf(script: string, baseUrl: string): Promise<unknown> {
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    cwd: import.meta.dirname,
    stdio: "inherit",
    env: { PATH: process.env["PATH"], CWSANDBOX_BASE_URL: baseUrl, CWSANDBOX_API_KEY: "k" },
  });
  const [status] = await once(child, "exit");
  return status;
}

test("lets a process end while it is idle", async () => {
  await using service = await startFaultService({ getSandbox: () => sandboxRecord(State.RUNNING) });
  const script = `
    import { Sandbox } from "@tidybox/client";
    const { state } = await Sandbox.fromId("sb-1");
    process.exitCode = state === "running" ? 7 : 1;
  `;
  expect(await exitOf(script, service.baseUrl)).toBe(7);
});

test("with unref, lets a process end while a stream is open", async () => {
  let opened = 0;
  await using service = await startFaultService({
    async *streamExec(_requests, { signal }) {
      opened += 1;
      yield { message: { case: "ready", value: {} } };
      await once(signal, "abort");
    },
  });
  const script = `
    import { Connection } from "@tidybox/client";
    import { transportOf } from "@tidybox/client/internal";
    import { SandboxService } from "@tidybox/protocol";
    import { createClient } from "@connectrpc/connect";
    const client = createClient(SandboxService, transportOf(new Connection({ unref: true })));
    async function* forever() { yield { message: { case: "init", value: { sandboxId: "sb-1" } } }; await new Promise(() => {}); }
    const responses = client.streamExec(forever())[Symbol.asyncIterator]();
    const keepAlive = setTimeout(() => process.exit(1), 20_000);
    await responses.next();
    clearTimeout(keepAlive);
    responses.next().catch(() => {});
    process.exitCode = 7;
  `;
  expect(await exitOf(script, service.baseUrl)).toBe(7);
  expect(opened).toBe(1);
});
