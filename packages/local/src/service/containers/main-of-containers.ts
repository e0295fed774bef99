import type { ProcessEnd } from "../../spawner/process-end.ts";
import type { Main } from "../main-process.ts";
import type { SideContainer } from "./container.ts";

/** The primary container's main process, by which the sandbox ends; signals go to all of them. */
export class MainOfContainers implements Main {
  readonly exited: Promise<ProcessEnd>;
  readonly drained: Promise<unknown>;
  readonly #primary: Main;
  readonly #others: readonly SideContainer[];

  constructor(primary: Main, others: readonly SideContainer[]) {
    this.#primary = primary;
    this.#others = others;
    this.exited = primary.exited;
    this.drained = primary.drained;
  }

  started(): Promise<boolean> {
    return this.#primary.started();
  }

  terminate(): void {
    this.#primary.terminate();
    for (const other of this.#others) other.terminate();
  }

  kill(): void {
    this.#primary.kill();
    for (const other of this.#others) other.kill();
  }

  startFailure(end: ProcessEnd): Promise<string | undefined> {
    return this.#primary.startFailure(end);
  }
}
