import type { Socket } from "node:net";
import type { Container, Exec } from "dockerode";
import { within } from "../../deadline.ts";
import { KILLED_EXIT_CODE, type ProcessEnd } from "../../spawner/process-end.ts";
import { type DockerConnection, DockerCallError } from "./docker-connection.ts";
import type { ExecMark } from "./exec-mark.ts";
import { KILL_SESSION, shell, TERMINATE } from "./shell-scripts.ts";

/** How long Docker's word on whether a command still runs is believed. */
const FIRST_LOOK_MILLISECONDS = 10;
const LAST_LOOK_MILLISECONDS = 500;
const LOOKS_IN_VAIN = 5;

const MARK_SECONDS = 10;
const KILL_SECONDS = 3;
const KILL_ATTEMPTS = 3;
const AGAIN_MILLISECONDS = 200;

export interface ExecOptions {
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly wantsInput: boolean;
  readonly tty: boolean;
}

/** Hears of what concerns the whole container. */
export interface ExecWatcher {
  /** A command cannot be ended in any other way. */
  giveUp(reason: string): void;
  /** A command was killed, and not by us; its end is told afterwards. Never rejects. */
  killed(): Promise<void>;
}

/** A command in a container, as Docker knows it. */
export class ContainerExec {
  readonly socket: Socket;
  readonly #docker: DockerConnection;
  readonly #container: Container;
  readonly #exec: Exec;
  readonly #mark: ExecMark;
  readonly #watcher: ExecWatcher;
  #ended = false;
  #killing: Promise<void> | undefined;

  private constructor(
    docker: DockerConnection,
    container: Container,
    exec: Exec,
    socket: Socket,
    mark: ExecMark,
    watcher: ExecWatcher,
  ) {
    this.#docker = docker;
    this.#container = container;
    this.#exec = exec;
    this.socket = socket;
    this.#mark = mark;
    this.#watcher = watcher;
    // Its end is all that is of interest: Docker tells then how the command ended.
    socket.on("error", () => {});
  }

  static async start(
    docker: DockerConnection,
    container: Container,
    { argv, environment, wantsInput, tty }: ExecOptions,
    mark: ExecMark,
    watcher: ExecWatcher,
  ): Promise<ContainerExec> {
    const exec = await docker.call("prepare a command", (options) =>
      container.exec({
        ...options,
        Cmd: [...argv],
        Env: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
        AttachStdin: wantsInput,
        AttachStdout: true,
        AttachStderr: true,
        Tty: tty,
        ...(tty && { DetachKeys: detachKeys(mark.token) }),
      }),
    );
    const socket = await docker.call("start a command", (options) =>
      exec.start({ ...options, hijack: true, stdin: true, Tty: tty }),
    );
    return new ContainerExec(docker, container, exec, socket as unknown as Socket, mark, watcher);
  }

  /** Once its output has ended: waits for its own end. Never rejects. */
  async end(): Promise<ProcessEnd> {
    let inVain = 0;
    for (let wait = FIRST_LOOK_MILLISECONDS; ; wait = Math.min(wait * 2, LAST_LOOK_MILLISECONDS)) {
      try {
        const { Running: running, ExitCode: code } = await this.#docker.call(
          "say how a command ended",
          (options) => this.#exec.inspect(options),
        );
        if (!running && code !== null) {
          if (code === KILLED_EXIT_CODE && this.#killing === undefined)
            await this.#watcher.killed();
          this.#ended = true;
          return { exitCode: code, lost: false };
        }
        inVain = 0;
      } catch (error) {
        inVain += 1;
        const gone = error instanceof DockerCallError && error.status === 404;
        if (gone || inVain === LOOKS_IN_VAIN) {
          this.#ended = true;
          return { exitCode: KILLED_EXIT_CODE, lost: true };
        }
      }
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }

  async resize({
    columns,
    rows,
  }: {
    readonly columns: number;
    readonly rows: number;
  }): Promise<void> {
    await this.#docker.call("resize a terminal", (options) =>
      this.#exec.resize({ ...options, w: columns, h: rows }),
    );
  }

  async terminate(): Promise<void> {
    const mark = await this.#markSeen();
    if (mark === undefined || this.#ended) return;
    await this.#inside(TERMINATE, mark.pid).catch(() => {});
  }

  /** Ends it and its session, or else the whole container. */
  kill(exited: Promise<unknown>): Promise<void> {
    this.#killing ??= this.#kill(exited);
    return this.#killing;
  }

  async #kill(exited: Promise<unknown>): Promise<void> {
    const mark = await this.#markSeen();
    let failure: unknown = "it has not said by which process id";
    for (let attempt = 0; attempt < KILL_ATTEMPTS; attempt += 1) {
      if (this.#ended) return;
      if (mark === undefined) break;
      try {
        await this.#inside(KILL_SESSION, mark.pid);
        failure = "it lives on";
      } catch (error) {
        failure = error;
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MILLISECONDS));
        continue;
      }
      // Nobody may be reading its output, and without that its end is not seen.
      await within(
        Promise.race([exited, this.end()]).then(() => {}),
        KILL_SECONDS,
      );
    }
    if (this.#ended) return;
    this.#watcher.giveUp(`a command could not be ended in any other way (${String(failure)})`);
  }

  #markSeen() {
    const late = new Promise<undefined>((resolve) => {
      setTimeout(() => resolve(undefined), MARK_SECONDS * 1000).unref();
    });
    return Promise.race([this.#mark.seen, late]);
  }

  async #inside(script: string, pid: number): Promise<void> {
    const exec = await this.#docker.call("prepare a signal", (options) =>
      // Root, whoever the image's own user is: some of the command's processes may be others'.
      this.#container.exec({ ...options, Cmd: [...shell(script, String(pid))], User: "0" }),
    );
    await this.#docker.call("send a signal", async (options) => {
      const answer = await exec.start({ ...options, Detach: true });
      answer.resume();
    });
  }
}

/**
 * Docker ends an attachment when certain keys are typed, and there must be some. Its own, Ctrl+P
 * Ctrl+Q, may be meant for the program; these nobody can know. The first one waits for the next key.
 */
function detachKeys(token: string): string {
  return ["ctrl-^", ...token].join(",");
}
