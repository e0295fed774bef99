import type { EngineProcess, EngineSandbox } from "../engines/engine.ts";
import type { OutputPipe } from "../spawner/output-pipe.ts";
import type { ProcessEnd } from "../spawner/process-end.ts";
import type { LineLog } from "./logs/line-log.ts";

/** Of a command that could not be executed, because it was not found or is no program. */
const COULD_NOT_EXECUTE = new Set([126, 127]);

/** What a sandbox is there for: when it ends, the sandbox ends. */
export interface Main {
  readonly exited: Promise<ProcessEnd>;
  /** Resolves when all of its output is in the log. */
  readonly drained: Promise<unknown>;
  /** Resolves to true once it runs, or has run; to false when it could not. */
  started(): Promise<boolean>;
  /** SIGTERM. */
  terminate(): void;
  /** SIGKILL to it, and not to what else runs in the sandbox. */
  kill(): void;
  /** Why it never ran, if that is how it ended. */
  startFailure(end: ProcessEnd): Promise<string | undefined>;
}

/** A main process that runs, its output on the way to its log. */
export class MainProcess implements Main {
  readonly exited: Promise<ProcessEnd>;
  readonly #process: EngineProcess;
  readonly #log: LineLog;
  readonly drained: Promise<unknown>;

  private constructor(process: EngineProcess, log: LineLog) {
    this.#process = process;
    this.#log = log;
    this.exited = process.exited;
    this.drained = Promise.all([this.#drain(process.stdout), this.#drain(process.stderr)]);
  }

  static async start(
    sandbox: EngineSandbox,
    argv: readonly string[],
    log: LineLog,
  ): Promise<MainProcess> {
    return new MainProcess(await sandbox.exec({ argv, environment: {}, wantsInput: false }), log);
  }

  terminate(): void {
    this.#process.terminate();
  }

  kill(): void {
    this.#process.kill();
  }

  async started(): Promise<boolean> {
    let end: ProcessEnd | undefined;
    void this.exited.then((known) => (end = known));
    await this.#process.launched();
    return end === undefined || (await this.startFailure(end)) === undefined;
  }

  async startFailure({ exitCode }: ProcessEnd): Promise<string | undefined> {
    // What it left behind may go on writing for ever: only the few that can matter are waited for.
    if (!COULD_NOT_EXECUTE.has(exitCode)) return undefined;
    await this.drained;
    return this.#process.launchFailure();
  }

  async #drain(pipe: OutputPipe): Promise<void> {
    for (;;) {
      const chunk = await pipe.read();
      if (chunk === undefined) return;
      this.#log.append(chunk);
      await this.#log.writable();
    }
  }
}
