import { create } from "@bufbuild/protobuf";
import { type Timestamp, timestampNow } from "@bufbuild/protobuf/wkt";
import {
  isTerminal,
  type Sandbox,
  SandboxSchema,
  type SandboxSpec,
  State,
} from "@tidybox/protocol";
import { within } from "../deadline.ts";
import type { Doom, Engine, EngineSandbox, SandboxPlan } from "../engines/engine.ts";
import { Alarm } from "./alarm.ts";
import type { ContainerGroup } from "./containers/container-group.ts";
import { primaryContainer } from "./containers/primary-container.ts";
import { effectiveResources } from "./containers/resources.ts";
import { LineLog, type LogMemory } from "./logs/line-log.ts";
import { canMove, type Lifecycle, type Outcome, stateName } from "./lifecycle.ts";
import { attachedVolumeIds } from "./resources/registered-volumes.ts";
import type { Main } from "./main-process.ts";
import { networkStatus } from "./network/network-status.ts";

/** How the status says that nobody has assigned one. */
const NO_RUNTIME_CLASS = "<node-default>";

export interface SandboxRecordOptions {
  readonly id: string;
  /** Counts creations of this service, from 1. */
  readonly sequence: number;
  readonly runnerId: string;
  readonly spec: SandboxSpec;
  readonly plan: SandboxPlan;
  /** Starts the main process; undefined: the sandbox only waits for commands. */
  readonly startMain: ((sandbox: EngineSandbox, log: LineLog) => Promise<Main>) | undefined;
  /** Of a sandbox with several containers; starts it in place of the engine. */
  readonly group?: ContainerGroup | undefined;
  /** Bounds its log. */
  readonly logMemory: LogMemory;
  readonly maxLifetimeSeconds: number;
  /** Where its spec came from. */
  readonly template?: { readonly id: string; readonly revision: number } | undefined;
  /** What a rehearsal adds to the time that its end takes. */
  readonly stopDelay?: (() => Promise<void> | undefined) | undefined;
  /** Of the spec on the wire; bounds what listings and the memory of ended sandboxes hold. */
  readonly sizeBytes: number;
}

/** To be done before a sandbox is killed; undefined when there is none to do it with. Never rejects. */
export type LastWork = (sandbox: EngineSandbox | undefined) => Promise<void>;

/** One sandbox from its creation to long after its end. The only place where its state changes. */
export class SandboxRecord {
  readonly id: string;
  readonly sequence: number;
  readonly runnerId: string;
  readonly spec: SandboxSpec;
  readonly sizeBytes: number;
  /** Milliseconds since the epoch, once it has ended. */
  endedAt: number | undefined;
  readonly #options: SandboxRecordOptions;
  readonly #createTime: Timestamp = timestampNow();
  readonly #ready = Promise.withResolvers<void>();
  readonly #over = Promise.withResolvers<void>();
  #startTime: Timestamp | undefined;
  #endTime: Timestamp | undefined;
  #lifecycle: Lifecycle = { state: State.PENDING };
  #sandbox: EngineSandbox | undefined;
  #main: Main | undefined;
  readonly #log: LineLog;
  readonly #lifetime: Alarm;
  #started = false;
  #draining: { readonly killAt: number; readonly timer: NodeJS.Timeout } | undefined;
  /** What it ends as once no process is left; set when the main process ended by itself. */
  #outcome: Outcome | undefined;
  #killed = false;
  #lastWork: LastWork | undefined;
  #working = false;
  #stopFailed = false;

  constructor(options: SandboxRecordOptions) {
    this.#options = options;
    this.id = options.id;
    this.sequence = options.sequence;
    this.runnerId = options.runnerId;
    this.spec = options.spec;
    this.sizeBytes = options.sizeBytes;
    this.#log = new LineLog(options.logMemory);
    // From the creation on, so that a start that hangs ends too.
    const { maxLifetimeSeconds } = options;
    this.#lifetime = new Alarm(maxLifetimeSeconds, () =>
      this.terminate(0, `its lifetime of ${maxLifetimeSeconds} s is over`),
    );
  }

  get state(): State {
    return this.#lifecycle.state;
  }

  get isActive(): boolean {
    return !isTerminal(this.state);
  }

  /** Whether its stop failed: it has ended as far as can be known, but something may still run. */
  get couldNotBeStopped(): boolean {
    return this.#stopFailed;
  }

  /** Resolves when the sandbox has ended, in whatever way. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** What runs the sandbox; undefined unless it is RUNNING. */
  get running(): EngineSandbox | undefined {
    return this.state === State.RUNNING ? this.#sandbox : undefined;
  }

  /** Where commands for a container run; undefined unless that runs. Empty is the primary one. */
  runningContainer(name: string): EngineSandbox | undefined {
    const other = this.#options.group?.container(name);
    return other === undefined || this.running === undefined ? this.running : other.running;
  }

  /** What a container's main process prints; undefined when the sandbox has ended. */
  logOf(container: string): LineLog | undefined {
    if (!this.isActive) return undefined;
    return this.#options.group?.container(container)?.log ?? this.#log;
  }

  /** Whether it waits to start, or starts. */
  get isStarting(): boolean {
    return this.state === State.PENDING || this.state === State.CREATING;
  }

  /** Resolves when the sandbox is no longer PENDING or CREATING. */
  get settled(): Promise<void> {
    return this.#ready.promise;
  }

  /** It no longer waits for its turn, though its start may be put off on purpose. */
  beginCreating(): void {
    if (this.state === State.PENDING) this.#move({ state: State.CREATING });
  }

  /** Makes it run. Never throws: what goes wrong is the sandbox's outcome. */
  async start(engine: Engine): Promise<void> {
    // It was asked to stop while it waited for its turn.
    if (!this.isActive) return;
    this.#started = true;
    this.beginCreating();
    try {
      const sandbox = await (this.#options.group ?? engine).start(this.#options.plan);
      this.#sandbox = sandbox;
      void sandbox.ended.then((doom) => this.#vanished(doom));
      const { startMain } = this.#options;
      if (this.state === State.CREATING && startMain !== undefined) {
        this.#main = await startMain(sandbox, this.#log);
        void this.#mainEnded(this.#main);
        // Its end is the end of the sandbox, which then has never been RUNNING.
        if (!(await this.#main.started())) return;
      }
      if (this.state === State.CREATING) {
        this.#startTime = timestampNow();
        this.#move({ state: State.RUNNING });
      } else {
        this.#drain();
      }
    } catch (error) {
      const reason = `the sandbox could not start: ${error instanceof Error ? error.message : String(error)}`;
      // What follows from the stop must not hide why it is stopped.
      this.#outcome ??= { state: State.FAILED, reason };
      const stopped = await this.#sandbox?.stop().then(
        () => undefined,
        (failure: unknown) => String(failure),
      );
      this.#end(
        this.state === State.TERMINATING
          ? { state: State.TERMINATED, reason: this.#reason() }
          : {
              state: State.FAILED,
              reason: stopped === undefined ? reason : `${reason}; then: ${stopped}`,
            },
      );
    }
  }

  /**
   * Begins to stop it: SIGTERM to the main process, and SIGKILL to everything after the grace.
   * Again while it drains: only a shorter grace changes something. No effect once it has ended.
   * `lastWork` is done between the two, with the main process dead and the rest still there.
   */
  terminate(graceSeconds: number, reason: string, lastWork?: LastWork): void {
    if (!this.isActive) return;
    const killAt = Date.now() + graceSeconds * 1000;
    const first = this.state !== State.TERMINATING;
    if (first) this.#move({ state: State.TERMINATING, reason });
    if (first) this.#lastWork = lastWork;
    if (!this.#started) return this.#end({ state: State.TERMINATED, reason });
    if (!first && this.#draining !== undefined && killAt >= this.#draining.killAt) return;
    clearTimeout(this.#draining?.timer);
    const timer = setTimeout(() => this.#kill(), Math.max(0, graceSeconds * 1000));
    this.#draining = { killAt, timer };
    if (this.#sandbox !== undefined) this.#drain(first);
  }

  /** Waits until it has ended, at most so long; false when it has not. */
  async ended(seconds: number): Promise<boolean> {
    if (this.isActive) await within(this.over, seconds);
    return !this.isActive;
  }

  /** While it is on its way from one state to the next, waits for that, at most so long. */
  async arrived(seconds: number): Promise<void> {
    if (this.isStarting) await within(this.settled, seconds);
    else if (this.state === State.TERMINATING) await within(this.over, seconds);
  }

  /** The sandbox as clients see it. */
  view(): Sandbox {
    const lifecycle = this.#lifecycle;
    const exitCode = "exitCode" in lifecycle ? lifecycle.exitCode : undefined;
    return create(SandboxSchema, {
      sandboxId: this.id,
      spec: this.spec,
      status: {
        state: lifecycle.state,
        stateReason: this.#reason(),
        createTime: this.#createTime,
        ...(this.#startTime && { startTime: this.#startTime }),
        ...(this.#endTime && { endTime: this.#endTime }),
        ...(exitCode !== undefined && { exitCode }),
        ...effectiveResources(this.spec),
        ...networkStatus(this.spec, lifecycle.state, this.#sandbox, this.#options.plan.denyEgress),
        effectiveMaxLifetimeSeconds: this.#options.maxLifetimeSeconds,
        containerStatuses: [
          {
            name: primaryContainer(this.spec).name,
            state: lifecycle.state,
            exitCode: exitCode ?? 0,
          },
          ...(this.#options.group?.statuses(lifecycle.state) ?? []),
        ],
        runnerId: this.runnerId,
        attachedVolumeIds: [...attachedVolumeIds(this.spec)],
        effectiveRuntimeClass: NO_RUNTIME_CLASS,
      },
      ...(this.#options.template && {
        sourceTemplateId: this.#options.template.id,
        sourceTemplateRevision: BigInt(this.#options.template.revision),
      }),
    });
  }

  #drain(first = true): void {
    if (this.#main === undefined || Date.now() >= (this.#draining?.killAt ?? 0)) this.#kill();
    else if (first) this.#main.terminate();
  }

  #kill(): void {
    clearTimeout(this.#draining?.timer);
    this.#killed = true;
    const work = this.#lastWork;
    // Not there yet: start() comes by here when it is.
    if (this.#sandbox === undefined || this.#working) return;
    if (work === undefined) return this.#stopSandbox();
    this.#lastWork = undefined;
    this.#working = true;
    this.#main?.kill();
    void work(this.#sandbox).finally(() => this.#stopSandbox());
  }

  #stopSandbox(): void {
    const { stopDelay } = this.#options;
    const asked = this.state === State.TERMINATING;
    void Promise.resolve(asked ? stopDelay?.() : undefined)
      .then(() => this.#sandbox?.stop())
      .catch((error: unknown) => {
        this.#stopFailed = this.isActive;
        this.#end({ state: State.FAILED, reason: `${this.#reason()}; ${String(error)}` });
      });
  }

  async #mainEnded(main: Main): Promise<void> {
    const end = await main.exited;
    // Killed with its sandbox: that, and not the main process, is what happened.
    if (end.lost || this.#killed || !this.isActive || this.#sandbox?.doom !== undefined) return;
    const { exitCode } = end;
    const failed = await main.startFailure(end);
    this.#outcome =
      failed === undefined
        ? {
            state: State.COMPLETED,
            reason: `the main process ended with exit code ${exitCode}`,
            exitCode,
          }
        : {
            state: State.FAILED,
            reason: `the main process could not be started: ${failed}`,
            exitCode,
          };
    // What it left behind goes before anyone is told that it is over.
    this.#kill();
  }

  /** No process is left. */
  #vanished(doom: Doom): void {
    const outcome = this.#outcome;
    if (this.state === State.TERMINATING) {
      const code = outcome?.exitCode === undefined ? {} : { exitCode: outcome.exitCode };
      this.#end({ state: State.TERMINATED, reason: this.#reason(), ...code });
    } else {
      this.#end(outcome ?? { state: State.FAILED, ...doom });
    }
  }

  #reason(): string {
    return "reason" in this.#lifecycle ? this.#lifecycle.reason : "";
  }

  #end(outcome: Outcome): void {
    if (!this.isActive) return;
    this.#lifetime.cancel();
    clearTimeout(this.#draining?.timer);
    this.#endTime = timestampNow();
    this.endedAt = Date.now();
    this.#move(outcome);
    this.#sandbox = undefined;
    // It went another way: whoever waits for the work must hear of it.
    void this.#lastWork?.(undefined);
    // Whoever reads it already gets the rest, and then its end.
    const close = (): void => this.#log.close();
    void Promise.resolve(this.#main?.drained).then(close, close);
    this.#log.release();
    this.#options.group?.close();
    this.#over.resolve();
  }

  #move(next: Lifecycle): void {
    if (!canMove(this.state, next.state)) {
      throw new Error(
        `sandbox ${this.id} cannot go from ${stateName(this.state)} to ${stateName(next.state)}`,
      );
    }
    this.#lifecycle = next;
    if (next.state !== State.CREATING) this.#ready.resolve();
  }
}
