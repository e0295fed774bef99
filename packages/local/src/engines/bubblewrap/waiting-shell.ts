import { withDeadline } from "../../deadline.ts";
import type { SpawnedProcess } from "../../spawner/spawner.ts";
import type { Activity } from "./activity.ts";
import { becomeCommand } from "./shell-script.ts";

/** Without a sign of life for so long it is given up: something stopped it, or tampered with it. */
const TAKE_SECONDS = 5;

/** What a shell that nobody uses may cost: a process, and three descriptors of the service. */
const IDLE_SECONDS = 30;

/** A sandbox that is still there so long after its first command began may get another one. */
const FIRST_PAUSE_MILLISECONDS = 100;

/** How many wait at once in all sandboxes of an engine: those that were used last. */
const MAX_WAITING = 16;

/** After SIGKILL, until its end and all that it said is here. */
const END_SECONDS = 5;

export interface BecomingCommand {
  readonly argv: readonly string[];
  /** All of it. */
  readonly environment: Readonly<Record<string, string>>;
  readonly wantsInput: boolean;
}

/** Whose shells wait at the moment, longest first. One for all sandboxes of an engine. */
export class WaitingShells {
  readonly #waiting = new Set<WaitingShell>();
  readonly #activity: Activity;

  constructor(activity: Activity) {
    this.#activity = activity;
  }

  /** Whether somebody waits for something else than the one command of a sandbox. */
  get isCrowded(): boolean {
    return this.#activity.isCrowded;
  }

  added(shell: WaitingShell): void {
    this.#waiting.add(shell);
    for (const oldest of this.#waiting) {
      if (this.#waiting.size <= MAX_WAITING) return;
      oldest.dismiss();
    }
  }

  removed(shell: WaitingShell): void {
    this.#waiting.delete(shell);
  }
}

/**
 * A shell that has entered a sandbox ahead of need, without capabilities, and waits for the command
 * that it becomes. To enter is most of what a short command costs. There is one for each sandbox that
 * is in use; without one, a command enters by itself.
 */
export class WaitingShell {
  readonly #start: () => Promise<SpawnedProcess>;
  #waiting: Promise<SpawnedProcess | undefined> | undefined;
  #idle: NodeJS.Timeout | undefined;
  #next: NodeJS.Timeout | undefined;
  #commands = 0;
  readonly #all: WaitingShells;
  #closed = false;

  /** `start` starts one, with a socket as standard input. */
  constructor(all: WaitingShells, start: () => Promise<SpawnedProcess>) {
    this.#all = all;
    this.#start = start;
  }

  /** Gets one ready, unless there is one. Never throws: it can be done without. */
  prepare(): void {
    if (this.#closed || this.#waiting !== undefined) return;
    const waiting = this.#start().catch(() => undefined);
    this.#waiting = waiting;
    void waiting.then((shell) => {
      if (shell === undefined) this.#forget(waiting);
      void shell?.exited.then(() => this.#forget(waiting));
    });
    this.#idle = setTimeout(() => this.dismiss(), IDLE_SECONDS * 1000).unref();
    this.#all.added(this);
  }

  /**
   * Many a sandbox is stopped after its first command: that must not wait for what nobody uses, and
   * on a busy machine nor must anybody else.
   */
  #prepareNext(): void {
    this.#commands += 1;
    if (this.#commands > 1) return this.prepare();
    this.#next = setTimeout(() => {
      if (!this.#all.isCrowded) this.prepare();
    }, FIRST_PAUSE_MILLISECONDS).unref();
  }

  /** Ends the one that waits, if there is one. */
  dismiss(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.#forget(waiting);
    void waiting.then((shell) => shell && discard(shell));
  }

  /** The process that is now the command; undefined, and nothing was run, where there is none. */
  async become({
    argv,
    environment,
    wantsInput,
  }: BecomingCommand): Promise<SpawnedProcess | undefined> {
    const script = becomeCommand(argv, environment, wantsInput);
    const waiting = this.#waiting;
    if (waiting === undefined) {
      this.#prepareNext();
      return undefined;
    }
    if (script === undefined) return undefined;
    this.#forget(waiting);
    const shell = await waiting;
    if (shell?.stdin === undefined) return undefined;
    const taken = await hasTaken(shell, script);
    this.#prepareNext();
    if (!taken) {
      shell.signal("SIGKILL");
      discard(shell);
      return undefined;
    }
    if (wantsInput) return shell;
    shell.stdin.destroy();
    return { ...shell, stdin: undefined };
  }

  /** No more of them. The one that waits ends with its sandbox. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#next);
    this.dismiss();
  }

  #forget(waiting: Promise<SpawnedProcess | undefined>): void {
    if (this.#waiting !== waiting) return;
    this.#waiting = undefined;
    this.#all.removed(this);
    clearTimeout(this.#idle);
  }
}

/**
 * Hands the script over. The shell answers before it becomes the command: when it died without an
 * answer, nothing was run, and the command can be run in another way.
 */
async function hasTaken(
  { stdin, exited, signal }: SpawnedProcess,
  script: string,
): Promise<boolean> {
  // It has died already, and nobody will say so again.
  if (stdin === undefined || stdin.destroyed || stdin.readableEnded) return false;
  const answered = new Promise<boolean>((resolve) => {
    const settle = (taken: boolean): void => {
      stdin.off("data", onData).off("close", onClose).off("end", onClose).pause();
      resolve(taken);
    };
    const onData = (): void => settle(true);
    const onClose = (): void => settle(false);
    stdin.on("data", onData).once("close", onClose).once("end", onClose).resume();
  });
  stdin.write(script);
  try {
    return await withDeadline(answered, TAKE_SECONDS, () => new Error("late"));
  } catch {
    signal("SIGKILL");
    await withDeadline(exited, END_SECONDS, () => new Error("late")).catch(() => {});
    // It may have answered at the last moment: then the command was run, and was killed.
    return await withDeadline(answered, END_SECONDS, () => new Error("late")).catch(() => true);
  }
}

/** At the end of its input it ends by itself. */
function discard(shell: SpawnedProcess): void {
  shell.stdin?.destroy();
  shell.stdout.close();
  shell.stderr.close();
}
