import type { Socket } from "node:net";
import type { Container } from "dockerode";
import { KILLED_EXIT_CODE } from "../../spawner/process-end.ts";
import { withDeadline } from "../../deadline.ts";
import {
  type ArchiveTarget,
  DEFAULT_TERM,
  type Doom,
  type EngineProcess,
  type EngineSandbox,
  type EngineTerminal,
  type ExecCommand,
  type SandboxPlan,
  type TerminalExecCommand,
} from "../engine.ts";
import { containerEnd } from "./container-end.ts";
import { ContainerExec, type ExecOptions } from "./container-exec.ts";
import { readContainerFile, writeContainerFile } from "./container-files.ts";
import { containerProcess } from "./container-process.ts";
import { containerTerminal } from "./container-terminal.ts";
import { archiveContainerVolume } from "./container-volumes.ts";
import { SandboxUnreachableError, sandboxIsEnding } from "../sandbox-unreachable-error.ts";
import { type DockerConnection, DockerCallError } from "./docker-connection.ts";
import { ExecMark } from "./exec-mark.ts";
import { ranOutOfMemory } from "./out-of-memory.ts";
import { RUN, RUN_IN_TERMINAL, shell } from "./shell-scripts.ts";
import type { VolumeHolders } from "./volume-holder.ts";

const END_SECONDS = 30;

const STOPPED: Doom = { reason: "the sandbox was stopped" };

/** For the rest of what the commands of an ended container have printed. */
const REST_SECONDS = 2;

export interface DockerSandboxOptions {
  readonly docker: DockerConnection;
  readonly container: Container;
  readonly plan: SandboxPlan;
  /** The container's input: it ends when this closes, and so with this service. */
  readonly lifeline: Socket;
  readonly holders: VolumeHolders;
  readonly hostPorts: ReadonlyMap<number, number>;
  /** Kills and removes the container. */
  readonly remove: () => Promise<void>;
}

/** A running container. */
export class DockerSandbox implements EngineSandbox {
  readonly terminalsMissing = undefined;
  readonly ended: Promise<Doom>;
  readonly #options: DockerSandboxOptions;
  readonly #end = Promise.withResolvers<Doom>();
  readonly #execs = new Set<ContainerExec>();
  /** Ends the waiting for Docker's word on the end, which may never come. */
  readonly #watching = new AbortController();
  #stopping: Promise<void> | undefined;
  /** Why it is killed by us, other than being asked to. */
  #doom: Doom | undefined;

  /** The container must have been started. */
  constructor(options: DockerSandboxOptions) {
    this.#options = options;
    this.ended = this.#end.promise;
    void this.#watch();
  }

  get containerId(): string {
    return this.#options.container.id;
  }

  get doom(): Doom | undefined {
    return this.#doom;
  }

  get hostPorts(): ReadonlyMap<number, number> {
    return this.#options.hostPorts;
  }

  async exec(command: ExecCommand): Promise<EngineProcess> {
    const { argv, environment, wantsInput } = command;
    const mark = new ExecMark();
    const exec = await this.#start(mark, {
      argv: shell(RUN, mark.token, ...argv),
      environment,
      wantsInput,
      tty: false,
    });
    return containerProcess(exec, mark, argv, wantsInput);
  }

  async terminal(command: TerminalExecCommand): Promise<EngineTerminal> {
    const { plan } = this.#options;
    const mark = new ExecMark();
    const exec = await this.#start(mark, {
      argv: shell(RUN_IN_TERMINAL, mark.token, ...command.argv),
      environment: {
        ...(plan.environment["TERM"] === undefined && DEFAULT_TERM),
        ...command.environment,
      },
      wantsInput: true,
      tty: true,
    });
    return containerTerminal(exec, mark, command);
  }

  readFile(path: string, maxSizeBytes: number, signal?: AbortSignal): Promise<Uint8Array> {
    return readContainerFile(this, path, maxSizeBytes, signal);
  }

  writeFile(path: string, content: Uint8Array, signal?: AbortSignal): Promise<void> {
    return writeContainerFile(this, path, content, signal);
  }

  archiveVolume(volume: string, target: ArchiveTarget): Promise<void> {
    const { docker, container, holders, plan } = this.#options;
    return archiveContainerVolume(docker, container, holders, this, plan, volume, target);
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #start(mark: ExecMark, options: ExecOptions): Promise<ContainerExec> {
    const { docker, container, plan } = this.#options;
    if (this.#stopping !== undefined) throw sandboxIsEnding(plan.id);
    const exec = await ContainerExec.start(docker, container, options, mark, {
      // Whoever asked for the end of the command sees it in the state of the sandbox.
      giveUp: (reason) => this.#kill({ reason }),
      killed: () => this.#checkMemory(),
    }).catch((error: unknown) => {
      throw this.#unreachable(error);
    });
    this.#execs.add(exec);
    exec.socket.once("close", () => this.#execs.delete(exec));
    return exec;
  }

  #unreachable(error: unknown): unknown {
    const { id } = this.#options.plan;
    if (!(error instanceof DockerCallError)) return error;
    const { status } = error;
    // 404: the container is gone, 409: it does not run.
    if (this.#stopping !== undefined || status === 404 || status === 409)
      return sandboxIsEnding(id, error);
    const message = `sandbox ${id} cannot be reached: ${error.message}. Does the daemon run (\`docker info\`)?`;
    return new SandboxUnreachableError("engine_lost", message, { cause: error });
  }

  #kill(doom: Doom): void {
    this.#doom ??= doom;
    this.stop().catch(() => {});
  }

  /** As a container's own limit does: with one process all of them end. */
  async #checkMemory(): Promise<void> {
    const { docker, container, plan } = this.#options;
    const { memoryLimitBytes } = plan;
    if (memoryLimitBytes === undefined || this.#stopping !== undefined) return;
    if (!(await ranOutOfMemory(docker, container)) || this.#stopping !== undefined) return;
    const reason = `it was killed: it used more memory than it may, and its memory limit is ${memoryLimitBytes}`;
    this.#kill({ reason, exitCode: KILLED_EXIT_CODE });
  }

  async #stop(): Promise<void> {
    try {
      await this.#killContainer();
    } catch (error) {
      this.#watching.abort();
      throw error;
    }
  }

  /** Kills and removes it in one call: its processes are gone long before its files. */
  async #killContainer(): Promise<void> {
    const removal = this.#options.remove();
    await withDeadline(
      Promise.race([this.ended, removal.then(() => this.ended)]),
      END_SECONDS,
      () => new Error(`Docker did not say within ${END_SECONDS} s that the container has ended`),
    );
    // Tried again with all that the sandbox has.
    removal.catch(() => {});
  }

  async #watch(): Promise<void> {
    const { docker, container, lifeline } = this.#options;
    let doom: Doom;
    try {
      const code = await containerEnd(docker, container, lifeline, this.#watching.signal);
      doom = await this.#doomOf(code);
    } catch (error) {
      const reason = `Docker no longer tells of the container: ${error instanceof Error ? error.message.trim() : String(error)}`;
      doom = this.#doom ?? (this.#stopping === undefined ? { reason } : STOPPED);
    }
    this.#options.lifeline.destroy();
    // Docker closes them, unless a command was about to start in that moment.
    setTimeout(() => {
      for (const { socket } of this.#execs) socket.destroy();
    }, REST_SECONDS * 1000).unref();
    this.#end.resolve(doom);
  }

  async #doomOf(exitCode: number): Promise<Doom> {
    if (this.#doom !== undefined) return this.#doom;
    if (this.#stopping !== undefined) return STOPPED;
    const { docker, container } = this.#options;
    const oom = await docker
      .call("say how a container ended", (options) => container.inspect(options))
      .then(
        ({ State }) => State.OOMKilled,
        () => false,
      );
    if (oom) return { reason: "its container ran out of memory", exitCode: KILLED_EXIT_CODE };
    return { reason: `its container ended by itself, with exit code ${exitCode}` };
  }
}
