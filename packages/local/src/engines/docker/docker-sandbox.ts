import type { Socket } from "node:net";
import type { Container } from "dockerode";
import { deferred } from "../../deferred.ts";
import { withDeadline } from "../../deadline.ts";
import {
  type ArchiveTarget,
  DEFAULT_TERM,
  type EngineProcess,
  type EngineSandbox,
  type EngineTerminal,
  type ExecCommand,
  type SandboxPlan,
  type TerminalExecCommand,
} from "../engine.ts";
import { ContainerExec, type ExecOptions } from "./container-exec.ts";
import { readContainerFile, writeContainerFile } from "./container-files.ts";
import { containerProcess } from "./container-process.ts";
import { containerTerminal } from "./container-terminal.ts";
import { archiveContainerVolume } from "./container-volumes.ts";
import { type DockerConnection, DockerCallError } from "./docker-connection.ts";
import { ExecMark } from "./exec-mark.ts";
import { RUN, RUN_IN_TERMINAL, shell } from "./shell-scripts.ts";

const END_SECONDS = 30;

/** For the rest of what the commands of an ended container have printed. */
const REST_SECONDS = 2;

export interface DockerSandboxOptions {
  readonly docker: DockerConnection;
  readonly container: Container;
  readonly plan: SandboxPlan;
  /** The container's input: it ends when this closes, and so with this service. */
  readonly lifeline: Socket;
}

/** A running container. */
export class DockerSandbox implements EngineSandbox {
  readonly terminalsMissing = undefined;
  readonly ended: Promise<{ readonly reason: string }>;
  readonly #options: DockerSandboxOptions;
  readonly #end = deferred<{ readonly reason: string }>();
  readonly #execs = new Set<ContainerExec>();
  /** Ends the waiting for Docker's word on the end, which may never come. */
  readonly #watching = new AbortController();
  #stopping: Promise<void> | undefined;
  /** Why it is killed by us, other than being asked to. */
  #doom: string | undefined;

  /** The container must have been started. */
  constructor(options: DockerSandboxOptions) {
    this.#options = options;
    this.ended = this.#end.promise;
    void this.#watch();
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
    const { docker, container, plan } = this.#options;
    return archiveContainerVolume(docker, container, this, plan, volume, target);
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#kill();
    return this.#stopping;
  }

  async #start(mark: ExecMark, options: ExecOptions): Promise<ContainerExec> {
    const { docker, container, plan } = this.#options;
    if (this.#stopping !== undefined) throw new Error(`sandbox ${plan.id} is being stopped`);
    const exec = await ContainerExec.start(docker, container, options, mark, (reason) => {
      this.#doom ??= reason;
      // Whoever asked for the end of the command sees it in the state of the sandbox.
      this.stop().catch(() => {});
    });
    this.#execs.add(exec);
    exec.socket.once("close", () => this.#execs.delete(exec));
    return exec;
  }

  async #kill(): Promise<void> {
    try {
      await this.#killContainer();
    } catch (error) {
      this.#watching.abort();
      throw error;
    }
  }

  async #killContainer(): Promise<void> {
    const { docker, container } = this.#options;
    await docker
      .call("kill a container", (options) => container.kill(options))
      .catch((error: unknown) => {
        // 404: it is gone, 409: it does not run.
        const status = error instanceof DockerCallError ? error.status : undefined;
        if (status !== 404 && status !== 409) throw error;
      });
    await withDeadline(
      this.ended,
      END_SECONDS,
      () => new Error(`Docker did not say within ${END_SECONDS} s that the container has ended`),
    );
  }

  /** The one call without a deadline: it takes as long as the container runs. */
  async #watch(): Promise<void> {
    let reason: string;
    try {
      const end: unknown = await this.#options.container.wait({
        abortSignal: this.#watching.signal,
      });
      reason = await this.#reasonOf(end);
    } catch (error) {
      const lost = `Docker no longer tells of the container: ${error instanceof Error ? error.message.trim() : String(error)}`;
      reason = this.#stopping === undefined ? lost : "the sandbox was stopped";
    }
    this.#options.lifeline.destroy();
    // Docker closes them, unless a command was about to start in that moment.
    setTimeout(() => {
      for (const { socket } of this.#execs) socket.destroy();
    }, REST_SECONDS * 1000).unref();
    this.#end.resolve({ reason });
  }

  async #reasonOf(end: unknown): Promise<string> {
    if (this.#doom !== undefined) return this.#doom;
    if (this.#stopping !== undefined) return "the sandbox was stopped";
    const { docker, container } = this.#options;
    const oom = await docker
      .call("say how a container ended", (options) => container.inspect(options))
      .then(
        ({ State }) => State.OOMKilled,
        () => false,
      );
    if (oom) return "its container ran out of memory";
    const code: unknown =
      typeof end === "object" && end !== null ? Reflect.get(end, "StatusCode") : undefined;
    return `its container ended by itself, with exit code ${String(code)}`;
  }
}
