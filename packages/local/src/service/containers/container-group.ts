import type { ContainerStatus, State } from "@tidybox/protocol";
import type { Engine, EngineSandbox, SandboxPlan } from "../../engines/engine.ts";
import type { LineLog } from "../logs/line-log.ts";
import type { Main } from "../main-process.ts";
import { SandboxOfContainers } from "./sandbox-of-containers.ts";
import type { SideContainer, StartMain } from "./container.ts";
import { MainOfContainers } from "./main-of-containers.ts";

export interface ContainerGroupOptions {
  readonly engine: Engine;
  /** In the order of the spec. */
  readonly initContainers: readonly SideContainer[];
  /** All but the primary one. */
  readonly others: readonly SideContainer[];
  readonly startPrimary: NonNullable<StartMain>;
  /** Whether the sandbox is still to run. */
  readonly isWanted: () => boolean;
}

/**
 * The containers of a sandbox that has several. The first thing there is the primary one, empty: it
 * has the network, the host name and the volumes of all. Then the others are made, and only when all
 * are there does anything run: the init containers one by one, then the rest, the primary one last.
 */
export class ContainerGroup {
  readonly #options: ContainerGroupOptions;
  readonly #sides: readonly SideContainer[];
  readonly #made = Promise.withResolvers<void>();

  constructor(options: ContainerGroupOptions) {
    this.#options = options;
    this.#sides = [...options.others, ...options.initContainers];
  }

  /** Resolves when all of them are there, or will not be: init containers may run for long. */
  get made(): Promise<void> {
    return this.#made.promise;
  }

  /** For the sandbox's record, in place of the engine. */
  async start(plan: SandboxPlan): Promise<EngineSandbox> {
    try {
      return await this.#make(plan);
    } finally {
      this.#made.resolve();
    }
  }

  async #make(plan: SandboxPlan): Promise<EngineSandbox> {
    const { engine } = this.#options;
    const primary = await engine.start(plan);
    const whole = new SandboxOfContainers(primary, this.#sides);
    try {
      for (const side of this.#sides) {
        if (engine.startBeside === undefined)
          throw new Error(`the engine "${engine.name}" has one container in a sandbox`);
        if (!this.#options.isWanted()) break;
        side.furnish(await engine.startBeside(side.plan, primary));
      }
    } catch (error) {
      await whole.stop();
      throw error;
    }
    return whole;
  }

  /** Throws when an init container fails, or when the sandbox is stopped meanwhile. */
  async startMain(sandbox: EngineSandbox, log: LineLog): Promise<Main> {
    const { initContainers, others, startPrimary } = this.#options;
    for (const init of initContainers) {
      this.#checkWanted();
      await init.complete();
    }
    this.#checkWanted();
    for (const other of others) await other.start();
    this.#checkWanted();
    return new MainOfContainers(await startPrimary(sandbox, log), others);
  }

  /** Undefined for the primary one. */
  container(name: string): SideContainer | undefined {
    return this.#sides.find((side) => side.name === name);
  }

  statuses(sandboxState: State): readonly ContainerStatus[] {
    return this.#sides.map((side) => side.status(sandboxState));
  }

  /** Once the sandbox has ended: whoever reads a log already gets the rest. */
  close(): void {
    for (const { log, drained } of this.#sides) {
      const close = (): void => log.close();
      void drained.then(close, close);
      log.release();
    }
  }

  #checkWanted(): void {
    if (!this.#options.isWanted()) throw new Error("it was stopped while its containers started");
  }
}
