import { create } from "@bufbuild/protobuf";
import {
  type Container as ContainerSpec,
  type ContainerStatus,
  ContainerStatusSchema,
  isTerminal,
  State,
} from "@tidybox/protocol";
import type { EngineSandbox, SandboxPlan } from "../../engines/engine.ts";
import { PLAIN, startOfWindow } from "../logs/log-format.ts";
import { LineLog, type LogMemory } from "../logs/line-log.ts";
import type { Main } from "../main-process.ts";

/** Of an init container's output, what the reason of its failure repeats. */
const LAST_LINES = 5;
const LAST_LINES_BYTES = 1000;

/** Starts the main process of a container, its output into the log; undefined where it has none. */
export type StartMain = ((sandbox: EngineSandbox, log: LineLog) => Promise<Main>) | undefined;

export interface ContainerOptions {
  readonly spec: ContainerSpec;
  readonly plan: SandboxPlan;
  readonly startMain: StartMain;
  readonly logMemory: LogMemory;
}

/** A container that is not the primary one: it has a life of its own within that of its sandbox. */
export class SideContainer {
  readonly name: string;
  readonly plan: SandboxPlan;
  readonly log: LineLog;
  readonly #startMain: StartMain;
  #state: State = State.CREATING;
  #exitCode = 0;
  #sandbox: EngineSandbox | undefined;
  #main: Main | undefined;
  #over: Promise<void> | undefined;
  #isKept = false;
  #isGone = false;

  constructor({ spec, plan, startMain, logMemory }: ContainerOptions) {
    this.name = spec.name;
    this.plan = plan;
    this.#startMain = startMain;
    this.log = new LineLog(logMemory);
  }

  get state(): State {
    return this.#state;
  }

  /** Where commands can run; undefined unless it is RUNNING. */
  get running(): EngineSandbox | undefined {
    return this.#state === State.RUNNING ? this.#sandbox : undefined;
  }

  /** Also when nothing runs in it any more: its volumes are still there. */
  get furnished(): EngineSandbox | undefined {
    return this.#isGone ? undefined : this.#sandbox;
  }

  get drained(): Promise<unknown> {
    return Promise.resolve(this.#main?.drained);
  }

  /** What it runs in, before anything runs. */
  furnish(sandbox: EngineSandbox): void {
    this.#sandbox = sandbox;
    void sandbox.ended.then((doom) => {
      this.#isGone = true;
      this.#end(State.FAILED, doom.exitCode ?? 0);
    });
  }

  /** Starts its main process; when that ends, all that runs in the container ends. */
  async start(): Promise<void> {
    if (this.#sandbox === undefined || this.#state !== State.CREATING) return;
    this.#state = State.RUNNING;
    this.#main = await this.#startMain?.(this.#sandbox, this.log);
    if (this.#main !== undefined) this.#over = this.#mainEnds(this.#main, this.#sandbox);
  }

  /** Runs it to its end; throws unless that is exit code 0. */
  async complete(): Promise<void> {
    await this.start();
    const sandbox = this.#sandbox;
    if (this.#main === undefined || sandbox === undefined)
      throw new Error(`init container ${this.name} could not be started`);
    const { exitCode } = await this.#main.exited;
    await this.#over;
    await this.#main.drained;
    await sandbox.stop();
    if (exitCode === 0 && this.#state === State.COMPLETED) return;
    const reason = sandbox.doom?.reason ?? `it ended with exit code ${exitCode}`;
    throw new Error(`init container ${this.name}: ${reason}${this.#lastWords()}`);
  }

  /** SIGTERM to its main process; its volumes stay until it is stopped. */
  terminate(): void {
    this.#isKept = true;
    if (this.#state === State.RUNNING) this.#main?.terminate();
  }

  /** SIGKILL to its main process; its volumes stay until it is stopped. */
  kill(): void {
    this.#isKept = true;
    if (this.#state === State.RUNNING) this.#main?.kill();
  }

  /** Kills all that runs in it. Safe to call twice. */
  async stop(): Promise<void> {
    this.#end(State.TERMINATED, 0);
    await this.#sandbox?.stop();
  }

  /** As clients see it, in a sandbox that is in this state. */
  status(sandboxState: State): ContainerStatus {
    const drains = sandboxState === State.TERMINATING && this.#state === State.RUNNING;
    return create(ContainerStatusSchema, {
      name: this.name,
      state: drains ? State.TERMINATING : this.#state,
      exitCode: this.#exitCode,
    });
  }

  async #mainEnds(main: Main, sandbox: EngineSandbox): Promise<void> {
    const end = await main.exited;
    if (end.lost || sandbox.doom !== undefined || isTerminal(this.#state)) return;
    const failed = await main.startFailure(end);
    this.#end(failed === undefined ? State.COMPLETED : State.FAILED, end.exitCode);
    // What it left behind ends with it.
    if (!this.#isKept) await sandbox.stop().catch(() => {});
  }

  #end(state: State, exitCode: number): void {
    if (isTerminal(this.#state)) return;
    this.#state = state;
    this.#exitCode = exitCode;
  }

  #lastWords(): string {
    const start = startOfWindow(this.log, { tailLines: LAST_LINES, sinceTime: 0 });
    const words = PLAIN.render(this.log, PLAIN.positionAt(this.log, start, 0), {
      maxBytes: LAST_LINES_BYTES,
      until: Number.POSITIVE_INFINITY,
    }).data.toString("utf8");
    return words.trim() === "" ? "" : `; it said: ${words.trim()}`;
  }
}
