import { PassThrough, Writable } from "node:stream";
import type { Socket } from "node:net";
import { OutputPipe } from "../../spawner/output-pipe.ts";
import { withDeadline } from "../../deadline.ts";
import type { EngineTerminal, TerminalExecCommand } from "../engine.ts";
import type { ContainerExec } from "./container-exec.ts";
import { pass } from "./exec-frames.ts";
import type { ExecMark } from "./exec-mark.ts";

const OPEN_SECONDS = 15;

/** What the terminal shows of the line that lets the command begin. */
const ECHO = "\r\n";

const END_OF_INPUT = "\u0004";
const NEW_LINE = 10;
const END_AGAIN_MILLISECONDS = 250;
const MAX_END_AGAIN_MILLISECONDS = 4000;

/** A command in a terminal, which has its size before the command can ask for it. */
export async function containerTerminal(
  exec: ContainerExec,
  mark: ExecMark,
  { columns, rows }: TerminalExecCommand,
): Promise<EngineTerminal> {
  const { socket } = exec;
  const shown = new PassThrough();
  shown.on("error", () => {});
  const exited = relay(socket, shown, mark).then(() => exec.end());
  const seen = await withDeadline(
    mark.seen,
    OPEN_SECONDS,
    () => new Error("the terminal's shell did not begin"),
  ).catch((error: unknown) => {
    socket.destroy();
    throw error;
  });
  if (seen !== undefined) {
    // It ended a moment ago: its exit code tells how.
    await exec.resize({ columns, rows }).catch(() => {});
    socket.write("\n");
  }
  return {
    stdin: typed(socket),
    output: new OutputPipe(shown, exited),
    exited,
    resize: (size) => exec.resize(size).catch(() => {}),
    kill: () => void exec.kill(exited),
  };
}

/** Shows what comes behind the mark and the echo of the line that answers it. */
async function relay(socket: Socket, shown: PassThrough, mark: ExecMark): Promise<void> {
  let echo = Buffer.alloc(0);
  let echoed = false;
  try {
    for await (const data of socket) {
      let chunk = mark.push(data as Buffer);
      if (mark.isOpen) continue;
      if (!echoed) {
        const seen = await mark.seen;
        echo = Buffer.concat([echo, chunk]);
        if (seen !== undefined && echo.length < ECHO.length) continue;
        echoed = true;
        const isEcho = seen !== undefined && echo.toString("latin1", 0, ECHO.length) === ECHO;
        chunk = isEcho ? echo.subarray(ECHO.length) : echo;
      }
      await pass(shown, chunk);
    }
  } catch {
    // How it ended is asked for afterwards.
  }
  if (!shown.destroyed) shown.end(mark.end());
}

/** What the client sends is typed. Its end is Ctrl+D, twice where a line has been begun. */
function typed(socket: Socket): Writable {
  let last = NEW_LINE;
  const typeEnd = (times: number, waitMilliseconds: number): void => {
    if (socket.destroyed || !socket.writable) return;
    socket.write(END_OF_INPUT.repeat(times));
    const next = Math.min(waitMilliseconds * 2, MAX_END_AGAIN_MILLISECONDS);
    setTimeout(() => typeEnd(1, next), waitMilliseconds).unref();
  };
  return new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      if (socket.destroyed) return done(new Error("the command has ended"));
      last = chunk.at(-1) ?? last;
      socket.write(chunk, (error) => done(error ?? null));
    },
    final: (done) => {
      typeEnd(last === NEW_LINE ? 1 : 2, END_AGAIN_MILLISECONDS);
      done();
    },
  });
}
