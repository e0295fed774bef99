/**
 * Holds one terminal, for one command. A process for each: the addon leaves the descriptors of a
 * terminal open for every program that is started later, and the next one's is another sandbox's.
 *
 * It ends after the command, once the service has taken all output, and with the helper.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import { createRequire } from "node:module";
import { connect, type Socket } from "node:net";
import { ReadStream } from "node:tty";
import { closeInheritedDescriptors } from "./spawner/inherited-descriptors.ts";
import { OutputPipe } from "./spawner/output-pipe.ts";
import type {
  TerminalAnswer,
  TerminalCommand,
  TerminalRequest,
  TerminalSize,
} from "./spawner/terminal-messages.ts";
import { killTerminalProcesses } from "./spawner/terminal-processes.ts";

interface NativeTerminal {
  open(
    columns: number,
    rows: number,
  ): { readonly master: number; readonly slave: number; readonly pty: string };
  resize(fd: number, columns: number, rows: number): void;
}

/** Started before the terminal is open, so that it inherits nothing; opens it by its name. */
const GATE = 'IFS= read -r tty && exec 0<>"$tty" 1>&0 2>&0 && exec "$@"';

/** What Ctrl+D types. */
const END_OF_INPUT = "\u0004";
const END_AGAIN_MILLISECONDS = 100;
/** A terminal holds 4096 of them; after that it beeps. */
const MAX_END_AGAIN_MILLISECONDS = 10_000;

const NEW_LINE = "\n".charCodeAt(0);

closeInheritedDescriptors();

let child: ChildProcess | undefined;
let resize: (size: TerminalSize) => void = () => {};

function answer(message: TerminalAnswer, sent: () => void = () => {}): void {
  if (process.connected) process.send?.(message, undefined, undefined, sent);
}

function kill(): void {
  if (child?.pid !== undefined && child.exitCode === null && child.signalCode === null) {
    killTerminalProcesses(child.pid);
  }
}

async function open(request: Extract<TerminalRequest, { type: "open" }>): Promise<void> {
  const native = loadNative(request.native);
  const socket = await connectTo(request.socket, request.id);
  const started = startAtGate(request.command);
  if (started.pid === undefined) throw await failureOf(started);
  child = started;
  const exited = new Promise<void>((resolve) => {
    started.once("exit", (code, signal) => {
      answer({ type: "ended", code, signal });
      resolve();
    });
  });
  const { columns, rows } = request.command;
  const { master: fd, slave, pty } = native.open(columns, rows);
  // Kept until the command has it: without anybody on its other side a terminal is at its end.
  started.stdout?.once("close", () => closeSync(slave)).resume();
  started.stdin?.on("error", () => {}).end(`${pty}\n`);
  const master = new ReadStream(fd);
  resize = (size) => {
    if (!master.destroyed) native.resize(fd, size.columns, size.rows);
  };
  // The service does not listen any more: the command's client has gone.
  socket.on("error", kill).on("close", kill);
  typeInto(master, socket);
  answer({ type: "opened", pid: started.pid });
  await relay(new OutputPipe(master, exited), socket);
  await exited;
  await new Promise<void>((resolve) => socket.end(resolve).once("close", resolve));
  process.exit(0);
}

function loadNative(path: string): NativeTerminal {
  const native: unknown = createRequire(import.meta.url)(path);
  const isNative = (value: unknown): value is NativeTerminal =>
    typeof value === "object" &&
    value !== null &&
    typeof Reflect.get(value, "open") === "function" &&
    typeof Reflect.get(value, "resize") === "function";
  if (!isNative(native)) throw new Error(`${path} is not the addon of @lydell/node-pty 1.1`);
  return native;
}

function connectTo(path: string, id: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: true });
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      socket.write(`${id}\n`);
      resolve(socket);
    });
  });
}

function startAtGate({ file, args, environment, cwd, owns }: TerminalCommand): ChildProcess {
  return spawn("/bin/sh", ["-c", GATE, "sh", file, ...args], {
    cwd,
    env: environment,
    // The second one only tells, by its end, that the terminal has taken its place.
    stdio: ["pipe", "pipe", "ignore"],
    // Who leads a session and has no terminal yet gets the first one that it opens.
    detached: owns,
  });
}

function failureOf(started: ChildProcess): Promise<Error> {
  return new Promise((resolve) => started.once("error", resolve));
}

/** What the client sends is typed. Its end is Ctrl+D, twice where a line has been begun. */
function typeInto(master: ReadStream, socket: Socket): void {
  let last = NEW_LINE;
  socket.on("data", (bytes) => {
    last = bytes.at(-1) ?? last;
    if (master.destroyed || master.write(bytes)) return;
    socket.pause();
    master.once("drain", () => socket.resume());
  });
  socket.once("end", () => typeEnd(master, last === NEW_LINE ? 1 : 2, END_AGAIN_MILLISECONDS));
}

/**
 * Again and again, less and less often: a shell that sets its terminal up at that moment loses it,
 * and whoever reads after somebody who has read it is at the end of input, too.
 */
function typeEnd(master: ReadStream, times: number, waitMilliseconds: number): void {
  if (master.destroyed) return;
  master.write(END_OF_INPUT.repeat(times));
  const next = Math.min(waitMilliseconds * 2, MAX_END_AGAIN_MILLISECONDS);
  setTimeout(() => typeEnd(master, 1, next), waitMilliseconds).unref();
}

async function relay(output: OutputPipe, socket: Socket): Promise<void> {
  for (;;) {
    const chunk = await output.read();
    if (chunk === undefined || socket.destroyed) break;
    if (!socket.write(chunk)) await drained(socket);
  }
  output.close();
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      socket.off("drain", settle).off("close", settle);
      resolve();
    };
    socket.once("drain", settle).once("close", settle);
    if (socket.destroyed) settle();
  });
}

process.on("disconnect", () => {
  kill();
  process.exit(0);
});
process.on("message", (request: TerminalRequest) => {
  switch (request.type) {
    case "open":
      open(request).catch((error: unknown) => {
        kill();
        const reason = error instanceof Error ? error.message : String(error);
        answer({ type: "failed", reason }, () => process.exit(1));
      });
      return;
    case "resize":
      resize(request);
      return answer({ type: "resized", id: request.id });
    case "kill":
      return kill();
  }
});
