import { randomInt, randomUUID } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { isTerminal, type Sandbox, SandboxSpecSchema, State } from "@tidybox/protocol";
import {
  eventually,
  pause,
  type ServiceClient,
  sh,
  type SpecInit,
} from "../../packages/local/src/testing/test-service.ts";
import type { CaseContext } from "./contract.ts";

type Container = NonNullable<SpecInit["containers"]>[number];

export interface KeepAlive {
  readonly command: string;
  readonly args: readonly string[];
  /** Resolves when it does nothing but wait: a signal that comes before would just kill its shell. */
  readonly waits: (client: ServiceClient, sandboxId: string) => Promise<void>;
}

/** Exits 0 on TERM or INT, and otherwise sleeps in the background while it waits. */
export function keepAlive(flag: "-c" | "-lc"): KeepAlive {
  // A number of its own, by which it can be told from others on this machine.
  const seconds = `8${randomInt(1_000_000, 9_999_999)}`;
  const loop = `trap 'exit 0' TERM INT; while :; do sleep ${seconds} & wait $!; done`;
  const look = `for f in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <"$f"; echo; done 2>/dev/null | grep -q '^sleep ${seconds}'`;
  return {
    command: "/bin/sh",
    args: [flag, loop],
    waits: (client, sandboxId) =>
      eventually(async () => (await sh(client, sandboxId, look)).exitCode === 0),
  };
}

export interface SdkCreate {
  readonly container?: Partial<Container>;
  readonly spec?: SpecInit;
  readonly requestId?: string;
}

/** The create of both SDKs: one container `main`, named as the primary one, and a request id. */
export function createAsSdk(
  { bed, tag }: CaseContext,
  { command, args }: Pick<KeepAlive, "command" | "args">,
  { container, spec, requestId = randomUUID() }: SdkCreate = {},
): Promise<Sandbox> {
  const main = {
    name: "main",
    image: "python:3.11",
    command,
    args: [...args],
    ...(container as object),
  };
  const whole = create(SandboxSpecSchema, {
    primaryContainer: "main",
    ...(spec as object),
    containers: [main],
  });
  whole.tags.push(tag);
  return bed.sandboxes.createSandbox({ sandbox: { spec: whole }, requestId });
}

/** Both SDKs poll: 0.2 s, each time 1.5 times as long, at most 2 s; 15 s for each call. */
export async function polled(
  client: ServiceClient,
  sandboxId: string,
  done: (state: State) => boolean,
): Promise<Sandbox> {
  for (let wait = 200; ; wait = Math.min(wait * 1.5, 2000)) {
    const sandbox = await client.getSandbox({ sandboxId }, { timeoutMs: 15_000 });
    const state = sandbox.status?.state ?? State.UNSPECIFIED;
    if (state === State.UNSPECIFIED) throw new Error("a state that SDKs take for something else");
    if (done(state)) return sandbox;
    await pause(wait);
  }
}

/** What both SDKs take for "it has come up". */
export const isUp = (state: State): boolean =>
  state === State.RUNNING || state === State.PAUSED || isTerminal(state);

/** A running sandbox as an SDK makes it. */
export async function runAsSdk(
  context: CaseContext,
  main: Pick<KeepAlive, "command" | "args">,
  options: SdkCreate = {},
): Promise<string> {
  const { sandboxId } = await createAsSdk(context, main, options);
  const sandbox = await polled(context.bed.sandboxes, sandboxId, isUp);
  if (sandbox.status?.state !== State.RUNNING)
    throw new Error(`did not run: ${sandbox.status?.stateReason}`);
  return sandboxId;
}

/** What both SDKs make of a cwd: the wire has no field for one. */
export function inFolder(
  sdk: "python" | "js",
  folder: string,
  argv: readonly string[],
): readonly string[] {
  const [flag, quote] = sdk === "python" ? ["-c", shlexQuote] : ["-lc", singleQuote];
  return ["/bin/sh", flag, `cd ${quote(folder)} && exec ${argv.map(quote).join(" ")}`];
}

/** As Python's `shlex.quote`: only where a shell needs it. */
function shlexQuote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`;
}

function singleQuote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Both SDKs open `/bin/bash`; an image may only have another one. */
export async function shellOf(client: ServiceClient, sandboxId: string): Promise<string> {
  const { exitCode } = await sh(client, sandboxId, "test -x /bin/bash");
  return exitCode === 0 ? "/bin/bash" : "/bin/sh";
}
