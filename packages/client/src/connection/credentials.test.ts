import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { Code, ConnectError } from "@connectrpc/connect";
import { ERROR_DOMAIN, ErrorInfoSchema, State } from "@tidybox/protocol";
import { afterEach, expect, test, vi } from "vitest";
import { AuthenticationError, ConfigurationError } from "../errors/request-errors.ts";
import { attachSandbox } from "../sandbox/attach.ts";
import { getSandbox } from "../sandbox/get.ts";
import { startSandbox } from "../sandbox/start.ts";
import { toSandboxSpec } from "../options/sandbox-spec.ts";
import { Session } from "../session/session.ts";
import { refusal, sandboxRecord, startFaultService } from "../testing/fault-service.ts";
import { Connection, type ConnectionOptions } from "./connection.ts";

afterEach(() => vi.unstubAllEnvs());

const ready = { message: { case: "ready", value: {} } } as const;
const exit = { message: { case: "exit", value: { exitCode: 0 } } } as const;

/** Takes one key only, and notes what it was given. */
async function keyed(accepted: { key: string }, options: ConnectionOptions) {
  const seen: string[] = [];
  const check = (header: Headers) => {
    const given = header.get("authorization") ?? "";
    seen.push(given.replace("Bearer ", ""));
    if (given !== `Bearer ${accepted.key}`) throw refusal(Code.Unauthenticated);
  };
  const service = await startFaultService(
    {
      getSandbox: (_request, { requestHeader }) => {
        check(requestHeader);
        return sandboxRecord(State.RUNNING);
      },
      async *streamExec(_requests, { requestHeader }) {
        check(requestHeader);
        yield ready;
        yield exit;
      },
    },
    options,
  );
  return Object.assign(service, { seen });
}

test("asks a function once for many calls, and again when its key is refused", async () => {
  const accepted = { key: "key-number-1" };
  let asked = 0;
  await using service = await keyed(accepted, { apiKey: async () => `key-number-${(asked += 1)}` });
  const { connection, seen } = service;
  await Promise.all([1, 2, 3].map(() => getSandbox(connection, "sb-1")));
  expect(asked).toBe(1);
  accepted.key = "key-number-2";
  await Promise.all([1, 2, 3].map(() => getSandbox(connection, "sb-1")));
  expect(asked).toBe(2);
  expect(seen.slice(-3)).toEqual(["key-number-2", "key-number-2", "key-number-2"]);
  accepted.key = "key-number-3";
  // A command was refused before it was looked at, so it is sent again, too.
  await expect(attachSandbox(connection, "sb-1").exec(["pay"])).resolves.toMatchObject({
    exitCode: 0,
  });
});

test("a new key that is refused as well is an error, after one more try", async () => {
  let asked = 0;
  await using service = await keyed({ key: "other" }, { apiKey: () => `refused-${(asked += 1)}` });
  await expect(getSandbox(service.connection, "sb-1")).rejects.toMatchObject({
    code: "authentication_error",
    attempts: 2,
  });
  expect(service.seen).toEqual(["refused-1", "refused-2"]);
});

test("the same key again is no reason to call again", async () => {
  await using service = await keyed({ key: "other" }, { apiKey: () => "still-the-same" });
  await expect(getSandbox(service.connection, "sb-1")).rejects.toThrow(AuthenticationError);
  expect(service.seen).toEqual(["still-the-same"]);
});

test("a command that has begun is not sent again for want of a key", async () => {
  let calls = 0;
  let asked = 0;
  await using service = await startFaultService(
    {
      async *streamExec() {
        calls += 1;
        yield { message: { case: "ready", value: {} } };
        throw refusal(Code.Unauthenticated);
      },
    },
    { apiKey: () => `key-number-${(asked += 1)}` },
  );
  const exec = attachSandbox(service.connection, "sb-1").exec(["pay"]);
  await expect(exec).rejects.toThrow(AuthenticationError);
  expect(calls).toBe(1);
});

test("what the function throws is the cause, and nothing was made", async () => {
  const cause = new Error("the vault is sealed");
  const providers = [
    () => Promise.reject(cause),
    () => {
      throw cause;
    },
  ];
  for (const apiKey of providers) {
    await using service = await keyed({ key: "any" }, { apiKey });
    const start = startSandbox(service.connection, toSandboxSpec({}), {});
    await expect(start).rejects.toThrow(/no API key.*option apiKey has thrown/);
    await expect(start).rejects.toMatchObject({ code: "authentication_error", cause });
    expect(service.seen).toEqual([]);
  }
});

test("a function that does not answer, or gives no key, is an error", async () => {
  const options = { requestTimeoutSeconds: 0.1 };
  await using silent = await keyed(
    { key: "any" },
    { ...options, apiKey: () => new Promise<string>(() => {}) },
  );
  await expect(getSandbox(silent.connection, "sb-1")).rejects.toThrow(
    /has not answered within 0.1 s/,
  );
  await using empty = await keyed({ key: "any" }, { ...options, apiKey: () => " " });
  await expect(getSandbox(empty.connection, "sb-1")).rejects.toThrow(ConfigurationError);
  const giveUp = new AbortController();
  const got = getSandbox(silent.connection, "sb-1", giveUp.signal);
  giveUp.abort(new Error("no longer wanted"));
  await expect(got).rejects.toThrow("no longer wanted");
});

test("calls as W&B's users do, with the key of the environment or of ~/.netrc", async () => {
  const seen: Headers[] = [];
  await using service = await startFaultService({
    getSandbox: (_request, { requestHeader }) => {
      seen.push(requestHeader);
      return sandboxRecord(State.RUNNING);
    },
  });
  const home = await mkdtemp(join(tmpdir(), "tidybox-netrc-"));
  await writeFile(
    join(home, ".netrc"),
    "# mine\nmachine other login me password no\nmachine wandb.ai\n  login user\n  password from-netrc\n",
  );
  vi.stubEnv("HOME", home);
  vi.stubEnv("CWSANDBOX_API_KEY", "not-for-wandb");
  vi.stubEnv("WANDB_SANDBOX_BASE_URL", service.baseUrl);
  vi.stubEnv("WANDB_API_KEY", undefined);
  vi.stubEnv("WANDB_ENTITY", "some-team");
  vi.stubEnv("WANDB_PROJECT", undefined);
  try {
    using first = new Connection({ wandb: true });
    await getSandbox(first, "sb-1");
    vi.stubEnv("WANDB_API_KEY", "from-variable");
    using second = new Connection({ wandb: { project: "some-project" } });
    await getSandbox(second, "sb-1");
    const sent = (name: string) => seen.map((headers) => headers.get(name));
    expect(sent("x-wandb-api-key")).toEqual(["from-netrc", "from-variable"]);
    expect(sent("x-entity-id")).toEqual(["some-team", "some-team"]);
    expect(sent("x-project-name")).toEqual([null, "some-project"]);
    expect(sent("authorization")).toEqual([null, null]);
    expect(sent("x-cwsandbox-client-version")).toEqual(["unknown", "unknown"]);
    vi.stubEnv("WANDB_API_KEY", undefined);
    vi.stubEnv("HOME", join(home, "none"));
    expect(() => new Connection({ wandb: true })).toThrow(/WANDB_API_KEY/);
  } finally {
    await rm(home, { recursive: true });
  }
});

const SECRET = "sk-very-secret-0123456789";

/** All ways in which a program shows a value. */
function shown(value: unknown): string {
  const all = [
    inspect(value, { depth: Infinity, showHidden: true, customInspect: true }),
    inspect(value, { depth: Infinity, showHidden: true, customInspect: false, getters: true }),
    JSON.stringify(value),
    String(value),
  ];
  if (value instanceof Error) {
    all.push(value.stack ?? "", JSON.stringify(value, Object.getOwnPropertyNames(value)));
    if (value instanceof ConnectError) all.push(JSON.stringify([...value.metadata]));
    if (value.cause !== undefined) all.push(shown(value.cause));
  }
  return all.join("\n");
}

test("the key is in nothing that a program prints, also where the service echoes it", async () => {
  const echo = () => {
    const error = new ConnectError(
      `bad header authorization: Bearer ${SECRET}`,
      Code.PermissionDenied,
      { "x-echo": `Bearer ${SECRET}` },
    );
    const metadata = { header: SECRET };
    error.details.push({
      desc: ErrorInfoSchema,
      value: { reason: "ECHO", domain: ERROR_DOMAIN, metadata },
    });
    return error;
  };
  await using service = await startFaultService(
    {
      getSandbox: () => {
        throw echo();
      },
      deleteSandbox: () => {
        throw echo();
      },
      async *streamExec() {
        yield* [];
        throw echo();
      },
    },
    { apiKey: () => SECRET },
  );
  const { connection } = service;
  const session = new Session({ connection });
  const sandbox = attachSandbox(connection, sandboxRecord(State.RUNNING));
  session.adopt(sandbox);
  const errors = await Promise.all(
    [getSandbox(connection, "sb-1"), sandbox.exec(["true"]), sandbox.stop()].map((promise) =>
      promise.then(
        () => expect.unreachable(),
        (error: unknown) => error,
      ),
    ),
  );
  const closed = await session.close().catch((error: unknown) => error);
  // Broken in our own end, with the key at hand.
  service.cut();
  connection.close();
  const broken = await getSandbox(connection, "sb-1").catch((error: unknown) => error);
  for (const value of [connection, session, sandbox, ...errors, closed, broken]) {
    expect(shown(value)).not.toContain(SECRET);
  }
  expect(errors[0]).toMatchObject({
    reason: "ECHO",
    metadata: { header: "***" },
    message: expect.stringContaining("Bearer ***") as unknown,
  });
});
