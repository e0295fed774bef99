import type { Socket } from "node:net";
import { chownSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { within, withDeadline } from "../deadline.ts";
import { LocalServiceError } from "../error.ts";
import { FifoPool, type OpenFifo } from "./fifo-pool.ts";
import { Helper, type HelperOptions } from "./helper.ts";
import { InputSocket } from "./input-socket.ts";
import type { FailedMount } from "./messages.ts";
import type { RelayCommand } from "./relay-messages.ts";
import { OutputPipe } from "./output-pipe.ts";
import { KILLED_EXIT_CODE, type ProcessEnd, processEnd } from "./process-end.ts";
import type { TerminalCommand, TerminalSize } from "./terminal-messages.ts";

/** Generous: a machine under full load still forks within it. */
const SPAWN_SECONDS = 20;
const HOLD_SECONDS = 30;
const KILL_SECONDS = 10;
const REMOVE_SECONDS = 60;
const RESIZE_SECONDS = 2;

export interface SpawnCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** False: standard input is `/dev/null`. */
  readonly wantsInput: boolean;
  /** It only leads into a sandbox (nsenter): its one child is the command. Default false. */
  readonly leads?: boolean;
}

export interface SpawnedProcess {
  readonly pid: number;
  readonly stdin: Socket | undefined;
  readonly stdout: OutputPipe;
  readonly stderr: OutputPipe;
  readonly exited: Promise<ProcessEnd>;
  /**
   * To the whole process group, unless the process has been reaped. SIGKILL to one that leads into a
   * sandbox ends its command first.
   */
  signal(name: NodeJS.Signals): void;
}

export interface SpawnedTerminal {
  /** What is typed, and its end. */
  readonly stdin: Socket;
  /** Both streams of the program, as the terminal shows them. */
  readonly output: OutputPipe;
  readonly exited: Promise<ProcessEnd>;
  /** Resolves when the terminal has it. Never rejects. */
  resize(size: TerminalSize): Promise<void>;
  /** SIGKILL to everything that runs in it. */
  kill(): void;
}

export interface SpawnedRelay {
  /** Of the host's loopback, in the order of the command's ports. */
  readonly hostPorts: readonly number[];
  readonly ended: Promise<unknown>;
  kill(): void;
}

export interface HeldProcess {
  /** Pid, seen from the host, of the first process inside. */
  readonly innerPid: number;
  readonly ended: Promise<ProcessEnd & { readonly stderrTail: string }>;
  /** SIGKILL to the inner process, and so to everything inside. */
  kill(): void;
}

export interface SpawnerOptions extends Omit<HelperOptions, "inputSocket"> {
  /** Private folder for the pipes and the socket; must exist, and be writable by the helper. */
  readonly folder: string;
  /** The program that leads to ports of sandboxes; absent: nothing does. */
  readonly relayMain?: string;
}

/** Starts processes through the helper process, and connects their streams to this one. */
export class Spawner {
  readonly #helper: Helper;
  readonly #input: InputSocket;
  readonly #fifos: FifoPool;
  readonly #relayMain: string | undefined;
  /** Why there are no terminals. */
  readonly terminalsMissing: string | undefined;

  private constructor(
    helper: Helper,
    input: InputSocket,
    folder: string,
    { terminals, relayMain }: Pick<SpawnerOptions, "terminals" | "relayMain">,
  ) {
    this.#relayMain = relayMain;
    this.terminalsMissing =
      terminals !== undefined && "missing" in terminals ? terminals.missing : undefined;
    this.#helper = helper;
    this.#input = input;
    this.#fifos = new FifoPool(folder, (paths) =>
      withDeadline(helper.ask({ type: "fifos", id: helper.nextId(), paths }), SPAWN_SECONDS, () =>
        tooSlow("making named pipes", SPAWN_SECONDS),
      ),
    );
    this.#fifos.warm();
  }

  /** Forks the helper now, while whatever this process may still do can be handed to it. */
  static async start(options: SpawnerOptions): Promise<Spawner> {
    const { folder, relayMain: _, ...helperOptions } = options;
    const fifoFolder = join(folder, "pipes");
    mkdirSync(fifoFolder, { mode: 0o700, recursive: true });
    const input = await InputSocket.listen(join(folder, "input.sock"));
    try {
      if (options.identity !== undefined) {
        const { uid, gid } = options.identity;
        for (const path of [fifoFolder, input.path]) chownSync(path, uid, gid);
      }
      const helper = await Helper.start({ ...helperOptions, inputSocket: input.path });
      return new Spawner(helper, input, fifoFolder, options);
    } catch (error) {
      input.close();
      throw error;
    }
  }

  /** Sources of mounts that could not be made, with the reason. */
  get failedMounts(): readonly FailedMount[] {
    return this.#helper.failedMounts;
  }

  /** Resolves when the helper is gone: nothing can be started any more. */
  get lost(): Promise<LocalServiceError> {
    return this.#helper.lost;
  }

  async spawn(command: SpawnCommand): Promise<SpawnedProcess> {
    const id = this.#helper.nextId();
    const fifos: OpenFifo[] = [];
    const pipes: OutputPipe[] = [];
    const connected = command.wantsInput ? this.#input.expect(id) : undefined;
    const ended = this.#helper.end(id);
    try {
      fifos.push(await this.#fifos.take(), await this.#fifos.take());
      const [out, err] = fifos as [OpenFifo, OpenFifo];
      const answer = await withDeadline(
        this.#helper.ask({
          ...command,
          leads: command.leads ?? false,
          type: "spawn",
          id,
          stdoutPath: out.path,
          stderrPath: err.path,
        }),
        SPAWN_SECONDS,
        () => tooSlow(`starting ${command.file}`, SPAWN_SECONDS),
      );
      if (answer.type !== "spawned") throw unexpected(answer.type);
      const stdin =
        connected &&
        (await withDeadline(connected, SPAWN_SECONDS, () =>
          tooSlow("connecting standard input", SPAWN_SECONDS),
        ));
      const exited = ended.then((end) =>
        end === "lost" ? { exitCode: KILLED_EXIT_CODE, lost: true } : processEnd(end),
      );
      for (const { fd } of [out, err]) pipes.push(new OutputPipe(fd, exited));
      const [stdout, stderr] = pipes as [OutputPipe, OutputPipe];
      return {
        pid: answer.pid,
        stdin,
        stdout,
        stderr,
        exited,
        signal: (signal) => this.#helper.tell({ type: "signal", id, signal }),
      };
    } catch (error) {
      this.#helper.tell({ type: "signal", id, signal: "SIGKILL" });
      this.#helper.forget(id);
      this.#input.forget(id);
      void connected?.then((socket) => socket.destroy());
      // A descriptor belongs to its pipe once there is one, and is closed by nobody else.
      for (const pipe of pipes) pipe.close();
      for (const fifo of fifos.slice(pipes.length)) this.#fifos.discard(fifo);
      throw error;
    }
  }

  /** Starts a program in a terminal of its own. */
  async terminal(command: TerminalCommand): Promise<SpawnedTerminal> {
    const id = this.#helper.nextId();
    const kill = (): void => this.#helper.tell({ type: "signal", id, signal: "SIGKILL" });
    const connected = this.#input.expect(id);
    const ended = this.#helper.end(id);
    try {
      const answer = await withDeadline(
        this.#helper.ask({ type: "terminal", id, command }),
        SPAWN_SECONDS,
        () => tooSlow("opening a terminal", SPAWN_SECONDS),
      );
      if (answer.type !== "spawned") throw unexpected(answer.type);
      const stdin = await withDeadline(connected, SPAWN_SECONDS, () =>
        tooSlow("connecting a terminal", SPAWN_SECONDS),
      );
      return {
        stdin,
        // Who holds the terminal knows when its output has ended, and closes the stream.
        output: new OutputPipe(stdin, new Promise(() => {})),
        exited: ended.then((end) =>
          end === "lost" ? { exitCode: KILLED_EXIT_CODE, lost: true } : processEnd(end),
        ),
        resize: (size) => this.#resize(id, size),
        kill,
      };
    } catch (error) {
      kill();
      this.#helper.forget(id);
      this.#input.forget(id);
      void connected.then((socket) => socket.destroy());
      throw error;
    }
  }

  async #resize(terminal: number, { columns, rows }: TerminalSize): Promise<void> {
    const id = this.#helper.nextId();
    const answer = this.#helper.ask({ type: "resize", id, terminal, columns, rows });
    // A terminal that has just ended does not answer.
    await within(
      answer.then(
        () => {},
        () => {},
      ),
      RESIZE_SECONDS,
    );
    this.#helper.forget(id);
  }

  /** Leads ports of the host's loopback, any free ones, to ports of a sandbox's own network. */
  async relay(command: RelayCommand): Promise<SpawnedRelay> {
    const id = this.#helper.nextId();
    const kill = (): void => this.#helper.tell({ type: "signal", id, signal: "SIGKILL" });
    const ended = this.#helper.end(id);
    try {
      if (this.#relayMain === undefined) throw unexpected("no program that relays");
      const request = { type: "relay", id, command, main: this.#relayMain } as const;
      const answer = await withDeadline(this.#helper.ask(request), SPAWN_SECONDS, () =>
        tooSlow("opening the ports of a sandbox", SPAWN_SECONDS),
      );
      if (answer.type !== "relaying") throw unexpected(answer.type);
      return { hostPorts: answer.hostPorts, ended, kill };
    } catch (error) {
      kill();
      this.#helper.forget(id);
      throw error;
    }
  }

  /** Starts a process that holds a sandbox, and resolves once it says that it is complete. */
  async hold(request: {
    readonly leader?: readonly string[];
    readonly file: string;
    readonly fileArgs: readonly string[];
    readonly command: readonly string[];
    readonly environment: Readonly<Record<string, string>>;
  }): Promise<HeldProcess> {
    const id = this.#helper.nextId();
    const kill = (): void => this.#helper.tell({ type: "signal", id, signal: "SIGKILL" });
    const ended = this.#helper
      .end(id)
      .then((end) =>
        end === "lost"
          ? { exitCode: KILLED_EXIT_CODE, lost: true, stderrTail: "" }
          : { ...processEnd(end), stderrTail: end.stderrTail },
      );
    const early = ended.then((end) => {
      throw new LocalServiceError(
        "local_engine_unavailable",
        end.lost
          ? "the helper process died while the sandbox was starting"
          : end.stderrTail.trim() ||
              `${request.file} ended with code ${end.exitCode} before the sandbox was ready`,
      );
    });
    try {
      const answer = await withDeadline(
        Promise.race([this.#helper.ask({ leader: [], ...request, type: "hold", id }), early]),
        HOLD_SECONDS,
        () => tooSlow("making a sandbox", HOLD_SECONDS),
      );
      if (answer.type !== "held") throw unexpected(answer.type);
      return { innerPid: answer.innerPid, ended, kill };
    } catch (error) {
      kill();
      this.#helper.forget(id);
      throw error;
    } finally {
      early.catch(() => {});
    }
  }

  /** Kills all processes with `NAME=value` in their environment, until none is left. */
  async killMarked(marker: string): Promise<void> {
    const id = this.#helper.nextId();
    await withDeadline(this.#helper.ask({ type: "kill-marked", id, marker }), KILL_SECONDS, () =>
      tooSlow("killing a sandbox's processes", KILL_SECONDS),
    );
  }

  /** Removes folders with everything in them; throws when something is left. */
  async remove(paths: readonly string[]): Promise<void> {
    const id = this.#helper.nextId();
    await withDeadline(this.#helper.ask({ type: "remove", id, paths }), REMOVE_SECONDS, () =>
      tooSlow("removing folders", REMOVE_SECONDS),
    );
  }

  /** Ends the helper and with it whatever it started. Safe to call twice. */
  async close(): Promise<void> {
    await this.#helper.close();
    this.#input.close();
  }
}

function tooSlow(what: string, seconds: number): LocalServiceError {
  return new LocalServiceError(
    "local_helper_failed",
    `${what} took longer than ${seconds} s; the machine is overloaded or the helper process hangs`,
  );
}

function unexpected(type: string): LocalServiceError {
  return new LocalServiceError(
    "local_helper_failed",
    `the helper process gave an unexpected answer: ${type}`,
  );
}
