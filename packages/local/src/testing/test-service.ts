import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Client, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import {
  ErrorInfoSchema,
  isTerminal,
  type Sandbox,
  SandboxService,
  SandboxSpecSchema,
  State,
} from "@tidybox/protocol";
import type { LocalNotice, LocalServiceOptions } from "../index.ts";

export type ServiceClient = Client<typeof SandboxService>;
export type SpecInit = MessageInitShape<typeof SandboxSpecSchema>;
type ContainerInit = NonNullable<SpecInit["containers"]>[number];

/** What can be given to a service in another process. */
export type TestServiceOptions = Omit<LocalServiceOptions, "onNotice" | "routes" | "prepared"> & {
  /** With `prepareLocalService`, before the service is loaded. */
  readonly prepare?: boolean;
};

export interface TestService {
  readonly baseUrl: string;
  readonly token: string;
  readonly engine: string;
  readonly client: ServiceClient;
  readonly process: ChildProcess;
  /** The only folder that the service may leave anything in. */
  readonly folder: string;
  notices(): Promise<readonly LocalNotice[]>;
  /** Of its process, after a garbage collection where it was launched with COLLECTING_GARBAGE. */
  memory(): Promise<NodeJS.MemoryUsage>;
  /** Closes it in order and removes its temp folder; throws when something was left in there. */
  close(): Promise<void>;
}

/** A launcher that lets `memory` collect garbage first. */
export const COLLECTING_GARBAGE = ["/usr/bin/env", "NODE_OPTIONS=--expose-gc"] as const;

export class RefusedStart extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * Starts a service in a process and a temp folder of its own. Throws RefusedStart. `launcher` is a
 * command that executes the words after it, for a machine that is less than this one.
 */
export async function startTestService(
  options: TestServiceOptions = {},
  launcher: readonly string[] = [],
): Promise<TestService> {
  const folder = mkdtempSync("/tmp/local-test-");
  chmodSync(folder, 0o1777);
  const child = fork(
    fileURLToPath(new URL("serve.ts", import.meta.url)),
    [JSON.stringify(options)],
    {
      env: { ...process.env, TMPDIR: folder, TIDYBOX_TEST_SECRET: secretOf(folder) },
      ...(launcher[0] === undefined
        ? { execArgv: [] }
        : { execPath: launcher[0], execArgv: [...launcher.slice(1), process.execPath] }),
    },
  );
  const [answer] = (await once(child, "message")) as [
    | { readonly baseUrl: string; readonly token: string; readonly engine: string }
    | { readonly code: string; readonly message: string },
  ];
  if ("code" in answer) {
    await gone(child);
    rmSync(folder, { recursive: true });
    throw new RefusedStart(answer.code, answer.message);
  }
  return {
    ...answer,
    folder,
    process: child,
    client: connectTo(answer.baseUrl, answer.token),
    notices: async () => {
      child.send("notices");
      const [notices] = (await once(child, "message")) as [readonly LocalNotice[]];
      return notices;
    },
    memory: async () => {
      child.send("memory");
      const [memory] = (await once(child, "message")) as [NodeJS.MemoryUsage];
      return memory;
    },
    close: async () => {
      if (child.connected) child.send("close");
      await gone(child);
      const left = readdirSync(folder);
      rmSync(folder, { recursive: true, force: true });
      if (left.length > 0) throw new Error(`the service left ${left.join(", ")} in ${folder}`);
      if (child.exitCode !== 0)
        throw new Error(`the service ended with ${child.exitCode ?? child.signalCode}`);
    },
  };
}

/** In the environment of the service in that folder, and of no other: files of tests run at once. */
export function secretOf(folder: string): string {
  return `host-secret of ${folder}`;
}

export function connectTo(baseUrl: string, token: string | undefined): ServiceClient {
  const transport = createGrpcTransport({
    baseUrl,
    readMaxBytes: 100 * 1024 * 1024,
    writeMaxBytes: 100 * 1024 * 1024,
    interceptors: [
      (next) => (request) => {
        if (token !== undefined) request.header.set("authorization", `Bearer ${token}`);
        return next(request);
      },
    ],
  });
  return createClient(SandboxService, transport);
}

async function gone(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

/** A valid spec with one container. */
export function specOf(container: ContainerInit = {}, rest: SpecInit = {}): SpecInit {
  const main = { name: "main", image: "python:3.11", ...(container as object) } as ContainerInit;
  return { ...rest, containers: [main] } as SpecInit;
}

export async function createRunning(
  client: ServiceClient,
  spec: SpecInit = specOf(),
): Promise<string> {
  const { sandboxId } = await client.createSandbox({
    sandbox: { spec: create(SandboxSpecSchema, spec) },
  });
  const sandbox = await until(
    client,
    sandboxId,
    (state) => state === State.RUNNING || isTerminal(state),
  );
  if (sandbox.status?.state !== State.RUNNING)
    throw new Error(`did not run: ${sandbox.status?.stateReason}`);
  return sandboxId;
}

/** Polls until the state is as wanted; the test's own timeout bounds it. */
export async function until(
  client: ServiceClient,
  sandboxId: string,
  wanted: (state: State) => boolean,
): Promise<Sandbox> {
  for (;;) {
    const sandbox = await client.getSandbox({ sandboxId });
    if (wanted(sandbox.status?.state ?? State.UNSPECIFIED)) return sandbox;
    await pause(10);
  }
}

export function untilEnded(client: ServiceClient, sandboxId: string): Promise<Sandbox> {
  return until(client, sandboxId, isTerminal);
}

/** Waits until `holds` does; the test's own timeout bounds it. */
export async function eventually(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await pause(10);
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

export interface TextResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

export async function run(
  client: ServiceClient,
  sandboxId: string,
  ...command: string[]
): Promise<TextResult> {
  const { stdout, stderr, exitCode } = await client.exec({ sandboxId, command });
  return {
    stdout: new TextDecoder().decode(stdout),
    stderr: new TextDecoder().decode(stderr),
    exitCode,
  };
}

export function sh(client: ServiceClient, sandboxId: string, script: string): Promise<TextResult> {
  return run(client, sandboxId, "/bin/sh", "-c", script);
}

export interface Refusal {
  readonly code: number;
  readonly reason: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly message: string;
  readonly error: ConnectError;
}

/** The error of a call that must fail. */
export async function refusalOf(call: Promise<unknown>): Promise<Refusal> {
  try {
    await call;
  } catch (cause) {
    const error = ConnectError.from(cause);
    const info = error.findDetails(ErrorInfoSchema)[0];
    return {
      code: error.code,
      reason: info?.reason,
      metadata: info?.metadata ?? {},
      message: error.rawMessage,
      error,
    };
  }
  throw new Error("the call succeeded, and should not have");
}

/** State folders of services in a test's temp folder. */
export function stateFolders(service: TestService): readonly string[] {
  return readdirSync(service.folder).map((name) => join(service.folder, name));
}
