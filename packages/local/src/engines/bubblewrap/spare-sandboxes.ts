import { randomUUID } from "node:crypto";
import type { SandboxPlan } from "../engine.ts";
import type { Activity } from "./activity.ts";
import type { BubblewrapSandbox } from "./bubblewrap-sandbox.ts";
import type { ImageRoot } from "./image-root.ts";
import { isAtOrBelow } from "./sandbox-folder.ts";

/** Of each kind: for whoever comes next. A burst has to wait in any case. */
const SPARES = 1;

/** What nobody asks for any more goes again. */
const IDLE_SECONDS = 30;

/** To make one takes the machine from whoever has just got one and uses it. */
const QUIET_MILLISECONDS = 3;
const QUIET_LOOKS = 50;

/** From being promised until it is started: the start may have to wait for its turn. */
const RESERVED_SECONDS = 300;

interface Spare {
  readonly id: string;
  readonly root: ImageRoot;
  readonly denyEgress: boolean;
  readonly sandbox: Promise<BubblewrapSandbox | undefined>;
  reserved: boolean;
  timer: NodeJS.Timeout;
}

export interface SpareSandboxesOptions {
  readonly make: (plan: SandboxPlan) => Promise<BubblewrapSandbox>;
  readonly rootOf: (image: string) => ImageRoot;
  readonly activity: Activity;
}

/**
 * Sandboxes without anything of their own, made ahead of need: most of what a create costs is bwrap,
 * and all sandboxes of one image look the same until something is put into them. Nobody has touched
 * one before it is handed out. Those that nobody takes end after a while.
 */
export class SpareSandboxes {
  readonly #make: (plan: SandboxPlan) => Promise<BubblewrapSandbox>;
  readonly #rootOf: (image: string) => ImageRoot;
  readonly #activity: Activity;
  readonly #spares = new Set<Spare>();
  /** What is to be made once the service has a moment. */
  readonly #wanted: SandboxPlan[] = [];
  #looking: NodeJS.Timeout | undefined;
  #closed = false;

  constructor({ make, rootOf, activity }: SpareSandboxesOptions) {
    this.#make = make;
    this.#rootOf = rootOf;
    this.#activity = activity;
  }

  /** The plan under the id of a spare that will do for it, which is then kept for it; or as it was. */
  reserve(plan: SandboxPlan): SandboxPlan {
    if (this.#closed || !isPlain(plan)) return plan;
    const [spare] = this.#free(plan);
    if (spare !== undefined) {
      spare.reserved = true;
      this.#dropIn(spare, RESERVED_SECONDS);
    }
    // Whoever asks for one may ask for another like it.
    this.#wanted.push(plan);
    this.#lookForQuiet(QUIET_LOOKS);
    return spare === undefined ? plan : { ...plan, id: spare.id };
  }

  /** The spare of that id, if it is one; undefined where it came to nothing. */
  async take(id: string): Promise<BubblewrapSandbox | undefined> {
    const spare = [...this.#spares].find((each) => each.id === id);
    if (spare === undefined) return undefined;
    this.#spares.delete(spare);
    clearTimeout(spare.timer);
    const sandbox = await spare.sandbox;
    return sandbox?.isOver === false ? sandbox : undefined;
  }

  /** Ends those that nobody took. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#looking);
    await Promise.all([...this.#spares].map((spare) => this.#drop(spare)));
  }

  #lookForQuiet(looks: number): void {
    this.#looking ??= setTimeout(() => {
      this.#looking = undefined;
      if (looks > 0 && this.#activity.quietMilliseconds < QUIET_MILLISECONDS)
        return this.#lookForQuiet(looks - 1);
      for (const plan of this.#wanted.splice(0)) this.#refill(plan);
    }, QUIET_MILLISECONDS).unref();
  }

  #refill(plan: SandboxPlan): void {
    const free = this.#free(plan);
    for (const spare of free) this.#dropIn(spare, IDLE_SECONDS);
    for (let count = free.length; count < SPARES; count += 1) this.#add(plan);
  }

  #add({ image, denyEgress, workingDirectory }: SandboxPlan): void {
    const id = `sb-${randomUUID()}`;
    const blank = { id, image, workingDirectory, environment: {}, denyEgress };
    const sandbox = this.#make({ ...blank, mounts: [], files: [], restores: [] }).catch(
      () => undefined,
    );
    const spare: Spare = {
      id,
      root: this.#rootOf(image),
      denyEgress,
      sandbox,
      reserved: false,
      timer: setTimeout(() => {}, 0),
    };
    this.#spares.add(spare);
    this.#dropIn(spare, IDLE_SECONDS);
    void sandbox.then((made) => {
      if (made === undefined) void this.#drop(spare);
      void made?.ended.then(() => this.#drop(spare));
    });
  }

  /** Those that will do, and that nobody has reserved. */
  #free({ image, denyEgress }: SandboxPlan): readonly Spare[] {
    const root = this.#rootOf(image);
    return [...this.#spares].filter(
      (spare) => !spare.reserved && spare.root === root && spare.denyEgress === denyEgress,
    );
  }

  #dropIn(spare: Spare, seconds: number): void {
    clearTimeout(spare.timer);
    spare.timer = setTimeout(() => void this.#drop(spare), seconds * 1000).unref();
  }

  async #drop(spare: Spare): Promise<void> {
    if (!this.#spares.delete(spare)) return;
    clearTimeout(spare.timer);
    const sandbox = await spare.sandbox;
    // It dies with the service at the latest.
    await sandbox?.stop().catch(() => {});
  }
}

/** Nothing of it has to be there before the sandbox starts. */
function isPlain({ mounts, workingDirectory, files, readOnlyRoot }: SandboxPlan): boolean {
  return (
    readOnlyRoot !== true &&
    mounts.length === 0 &&
    workingDirectory === "/workspace" &&
    !files.some(({ path }) => isAtOrBelow(path, "/etc"))
  );
}
