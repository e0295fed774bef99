import type { FaultOptions } from "@tidybox/local";
import type { Chance } from "../chance.ts";
import type { Setup } from "../framework.ts";
import type { Gate } from "../gate.ts";
import type { Launched, Surroundings } from "../../support/launch.ts";
import type { Misdeed, Note, RunPlan } from "../suite/plan.ts";

/** `served`: `tidybox serve` in a process of its own, in the remote service's place. */
export type BackendKind = "served" | "embedded";

export interface Where extends Setup {
  readonly backend: BackendKind;
}

/** The run at which is struck. */
export interface Scene {
  readonly where: Where;
  readonly chance: Chance;
  readonly run: Launched;
  /** Between the run and its service; only where that is a process of its own. */
  readonly gate: Gate | undefined;
  notes(): readonly Note[];
  /** Waits, bounded, for notes that satisfy. @throws when the run ends without them. */
  noted(what: string, wanted: (notes: readonly Note[]) => boolean): Promise<readonly Note[]>;
  coordinatorPid(): Promise<number>;
  /** Every process of the run. */
  pids(): readonly number[];
  /** The packed `tidybox` command, with the run's service. */
  tidybox(args: readonly string[]): Promise<void>;
  /** The next local service on this machine starts, which tidies up behind one that is gone. */
  nextService(): Promise<void>;
}

/** Whom it hits: the others must not feel it. */
export type Hit =
  /** One test, which fails. */
  | "test"
  /** One worker, whose sandboxes are nobody's from then on. */
  | "worker"
  /** The runner, and with it the run. */
  | "runner"
  /** The service: calls of any test may fail. */
  | "service"
  /** Nobody: everything passes, later. */
  | "nobody";

export interface Struck {
  /** `performance.now()` of the moment. */
  readonly atMs: number;
  /** Workers that it hit. */
  readonly workerPids?: readonly number[];
}

/**
 * The exit status that the framework gives by itself; a shell's `128 + signal` is the same. `by-tests`:
 * 0 when every test came to its end without trouble, else 1.
 */
export type Exit = number | NodeJS.Signals | "any" | "by-tests";

export interface Strike {
  readonly name: string;
  /** For the table. */
  readonly what: string;
  readonly hits: Hit;
  /** Everywhere when absent. */
  readonly appliesTo?: (where: Where) => boolean;
  readonly exit: (where: Where) => Exit | readonly Exit[];
  /** Of the suite: what is different from the usual plan. */
  readonly plan?: Partial<RunPlan>;
  /** A test drawn by lot does that. */
  readonly misdeed?: Misdeed;
  readonly faults?: FaultOptions;
  readonly surroundings?: Surroundings;
  readonly env?: Readonly<Record<string, string>>;
  /** Beside a second run on the same service, which must not feel it. */
  readonly besideAnother?: boolean;
  /** Absent where the suite or the service strikes by itself. */
  readonly perform?: (scene: Scene) => Promise<Struck>;
  /** After that the run counts as one that does not end. Default 60. */
  readonly endSeconds?: number;
  /** After the run's end, before anyone looks: such as the next run that tidies up. */
  readonly afterwards?: (scene: Scene) => Promise<void>;
}

/** Sleeps that end with the process that waits. */
export function seconds(count: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, count * 1000));
}

/** While tests hold sandboxes, at a moment drawn by lot. */
export async function whileTestsRun({ noted, chance }: Scene): Promise<readonly Note[]> {
  await noted("a test under way", (notes) => notes.some(({ kind }) => kind === "holds"));
  await seconds(chance.between(0, 1.5));
  return noted("a test under way", () => true);
}

/** At any moment from the runner's first steps to its last tests. */
export async function atAnyMoment(scene: Scene): Promise<void> {
  if (scene.chance.between(0, 1) < 0.25) {
    await scene.noted("the runner", (notes) => notes.some(({ kind }) => kind === "runner"));
    await seconds(scene.chance.between(0, 1));
  } else {
    await whileTestsRun(scene);
  }
}

/** What came before may have ended it. A negative pid is a process group's. */
export function killIfThere(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
