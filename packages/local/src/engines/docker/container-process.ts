import { Writable } from "node:stream";
import type { Socket } from "node:net";
import { within } from "../../deadline.ts";
import { OutputPipe } from "../../spawner/output-pipe.ts";
import type { EngineProcess } from "../engine.ts";
import type { ContainerExec } from "./container-exec.ts";
import { ExecFrames } from "./exec-frames.ts";
import type { ExecMark, Mark } from "./exec-mark.ts";

const LAUNCH_SECONDS = 10;
const SAID_BYTES = 500;

/** A running command without a terminal. */
export function containerProcess(
  exec: ContainerExec,
  mark: ExecMark,
  argv: readonly string[],
  wantsInput: boolean,
): EngineProcess {
  const { socket } = exec;
  let said = "";
  let launched: Mark | undefined;
  void mark.seen.then((seen) => (launched = seen));
  const frames = new ExecFrames(socket, {
    stdout: (chunk) => {
      // Where nothing was executed, Docker says why in its place.
      if (mark.isOpen && said === "") said = chunk.toString("utf8", 0, SAID_BYTES).trim();
      return chunk;
    },
    stderr: (chunk) => mark.push(chunk),
    end: () => mark.end(),
  });
  const exited = frames.ended.then(() => exec.end());
  return {
    stdin: wantsInput ? inputOf(socket) : undefined,
    stdout: new OutputPipe(frames.stdout, exited),
    stderr: new OutputPipe(frames.stderr, exited),
    exited,
    launched: () =>
      within(
        Promise.race([mark.seen, exited]).then(() => {}),
        LAUNCH_SECONDS,
      ),
    launchFailure: () => {
      if (launched === undefined) return said || "Docker did not execute it";
      if (launched.failedWith === undefined) return undefined;
      return `${argv[0] ?? ""}: ${launched.failedWith === 127 ? "not found" : "permission denied"}`;
    },
    terminate: () => void exec.terminate(),
    kill: () => void exec.kill(exited),
  };
}

/** The command's standard input. Its end is the end of one direction only. */
export function inputOf(socket: Socket): Writable {
  return new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      if (socket.destroyed) return done(new Error("the command has ended"));
      socket.write(chunk, (error) => done(error ?? null));
    },
    final: (done) => {
      if (!socket.destroyed) socket.end();
      done();
    },
    destroy: (error, done) => {
      if (!socket.destroyed) socket.end();
      done(error);
    },
  });
}
