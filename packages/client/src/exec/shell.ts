import { spawnSync } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { abortable } from "../connection/waiting.ts";
import type { SandboxHandle } from "../sandbox/handle.ts";
import type { TerminalSize } from "./input.ts";
import type { SandboxProcess } from "./sandbox-process.ts";
import { spawnCommand } from "./spawn-command.ts";
import type { SpawnOptions } from "./spawn-options.ts";

/** What a terminal of this process has more than other streams; `process.stdin` has it. */
export type ShellInput = Readable & {
  readonly isTTY?: boolean;
  readonly isRaw?: boolean;
  readonly fd?: number;
  setRawMode?(raw: boolean): unknown;
};

/** `process.stdout` is one; the size counts where it is a terminal. */
export type ShellOutput = Writable & {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
};

export interface ShellOptions extends Pick<
  SpawnOptions,
  "container" | "cwd" | "env" | "signal" | "timeoutSeconds"
> {
  /** Default: `bash` where the image has it, `/bin/sh` elsewhere. */
  readonly command?: readonly string[] | undefined;
  /** Default `process.stdin`. Its end is Ctrl+D. */
  readonly input?: ShellInput | undefined;
  /** Default `process.stdout`. */
  readonly output?: ShellOutput | undefined;
}

const STTY_MILLISECONDS = 2000;

const DEFAULT_SHELL = [
  "/bin/sh",
  "-c",
  "if command -v bash >/dev/null 2>&1; then exec bash; fi; exec /bin/sh",
];

/** Joins a terminal of this process with one in the sandbox, until the command there ends. */
export async function runShell(handle: SandboxHandle, options: ShellOptions): Promise<number> {
  const { command, input = process.stdin, output = process.stdout, ...spawnOptions } = options;
  const term = process.env["TERM"];
  await using shell = await spawnCommand(handle, command ?? DEFAULT_SHELL, {
    ...spawnOptions,
    env: { ...(output.isTTY === true && term !== undefined && { TERM: term }), ...options.env },
    stdin: "pipe",
    tty: sizeOf(output) ?? true,
  });
  const resized = (): void => {
    const size = sizeOf(output);
    if (size !== undefined) shell.resize(size);
  };
  const broken = new AbortController();
  const onOutputError = (error: unknown): void => broken.abort(error);
  output.on("resize", resized).on("error", onOutputError);
  const detach = attachInput(input, shell);
  try {
    // The window may have changed while the terminal was being opened.
    resized();
    await show(shell, output, broken.signal);
    return await shell.exitCode;
  } finally {
    detach();
    output.off("resize", resized).off("error", onOutputError);
  }
}

/** Types what comes in there. Answers how to stop, and to leave everything as it was. */
function attachInput(input: ShellInput, shell: SandboxProcess): () => void {
  const wasRaw = input.isRaw === true;
  const wasFlowing = input.readableFlowing === true;
  const onData = (data: string | Uint8Array): void => {
    input.pause();
    // A shell that has ended takes no more; its exit code says so.
    shell.write(data).then(
      () => attached && input.resume(),
      () => {},
    );
  };
  const onEnd = (): void => void shell.end().catch(() => {});
  let attached = true;
  makeRaw(input);
  input.on("data", onData).once("end", onEnd).once("error", onEnd);
  if (input.readableEnded || input.destroyed) onEnd();
  return () => {
    attached = false;
    input.off("data", onData).off("end", onEnd).off("error", onEnd);
    if (input.isTTY === true) input.setRawMode?.(wasRaw);
    if (wasFlowing) input.resume();
    else input.pause();
  };
}

/** Node leaves "\n" to become "\r\n", which puts the cursor of a full-screen program elsewhere. */
function makeRaw(input: ShellInput): void {
  if (input.isTTY !== true) return;
  input.setRawMode?.(true);
  if (input.fd === undefined) return;
  // What it was before comes back with it when raw mode ends. Without stty it is only less exact.
  spawnSync("stty", ["-opost"], {
    stdio: [input.fd, "ignore", "ignore"],
    timeout: STTY_MILLISECONDS,
  });
}

async function show(
  shell: SandboxProcess,
  output: ShellOutput,
  broken: AbortSignal,
): Promise<void> {
  for await (const data of shell.stdout) {
    const written = new Promise<void>((resolve, reject) =>
      output.write(data, (error) => (error ? reject(error) : resolve())),
    );
    await abortable(written, broken);
  }
}

/** Undefined where it is not a terminal, or one whose size is not known. */
function sizeOf({ columns = 0, rows = 0 }: ShellOutput): TerminalSize | undefined {
  return columns > 0 && rows > 0 ? { columns, rows } : undefined;
}
