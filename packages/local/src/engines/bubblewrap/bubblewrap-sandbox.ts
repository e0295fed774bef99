import { withDeadline } from "../../deadline.ts";
import type { HeldProcess, Spawner } from "../../spawner/spawner.ts";
import type {
  EngineProcess,
  EngineSandbox,
  EngineTerminal,
  ExecCommand,
  SandboxPlan,
  TerminalExecCommand,
} from "../engine.ts";
import type { ImageRoot } from "./image-root.ts";
import { commandLaunched, terminateCommand } from "./entered-command.ts";
import { entryOf } from "./entry.ts";
import { LaunchFailure } from "./launch-failure.ts";
import { openSandboxTerminal } from "./sandbox-terminal.ts";
import { SandboxFiles } from "./sandbox-files.ts";

const STOP_SECONDS = 10;
const LEAVE_SECONDS = 1;

export interface BubblewrapSandboxOptions {
  readonly plan: SandboxPlan;
  readonly root: ImageRoot;
  readonly held: HeldProcess;
  readonly spawner: Spawner;
  readonly nsenter: string;
}

export class BubblewrapSandbox implements EngineSandbox {
  readonly ended: Promise<{ readonly reason: string }>;
  readonly #options: BubblewrapSandboxOptions;
  readonly #files: SandboxFiles;
  readonly #entered = new Set<{ readonly exited: Promise<unknown> }>();
  #over = false;
  #stopping = false;

  constructor(options: BubblewrapSandboxOptions) {
    this.#options = options;
    this.ended = options.held.ended.then(async (end) => {
      this.#over = true;
      if (this.#stopping) await this.#allLeft();
      const reason = end.lost
        ? "the service's helper process died, and with it the sandbox"
        : `the sandbox's first process ended unexpectedly (code ${end.exitCode})`;
      return { reason };
    });
    this.#files = new SandboxFiles(`/proc/${options.held.innerPid}/root`, (command) =>
      this.exec(command),
    );
  }

  async exec(command: ExecCommand): Promise<EngineProcess> {
    const { held, spawner, nsenter } = this.#options;
    const entry = entryOf(this.#options, held.innerPid, command.environment);
    const spawned = await spawner.spawn({
      file: nsenter,
      args: [...entry.args, ...command.argv],
      environment: entry.environment,
      cwd: "/",
      wantsInput: command.wantsInput,
    });
    this.#entered.add(spawned);
    void spawned.exited.then(() => this.#entered.delete(spawned));
    const failure = new LaunchFailure(command.argv[0] ?? "");
    spawned.stderr.filterWith(failure);
    return {
      stdin: spawned.stdin,
      stdout: spawned.stdout,
      stderr: spawned.stderr,
      exited: spawned.exited,
      launched: () => commandLaunched(spawned),
      launchFailure: () => failure.reason,
      terminate: () => void terminateCommand(spawned),
      kill: () => spawned.signal("SIGKILL"),
    };
  }

  get terminalsMissing(): string | undefined {
    return this.#options.spawner.terminalsMissing;
  }

  async terminal(command: TerminalExecCommand): Promise<EngineTerminal> {
    const terminal = await openSandboxTerminal(this.#options, command);
    this.#entered.add(terminal);
    void terminal.exited.then(() => this.#entered.delete(terminal));
    return terminal;
  }

  readFile(path: string, maxSizeBytes: number): Promise<Uint8Array> {
    return this.#files.read(this.#absolute(path), maxSizeBytes);
  }

  writeFile(path: string, content: Uint8Array): Promise<void> {
    return this.#files.write(this.#absolute(path), content);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    if (!this.#over) this.#options.held.kill();
    await withDeadline(
      this.ended,
      STOP_SECONDS,
      () =>
        new Error(
          `sandbox ${this.#options.plan.id} did not end within ${STOP_SECONDS} s of SIGKILL`,
        ),
    );
  }

  /** What led commands in is outside of the sandbox, and sees a moment later that they are dead. */
  async #allLeft(): Promise<void> {
    const left = Promise.all([...this.#entered].map(({ exited }) => exited));
    await withDeadline(left, LEAVE_SECONDS, () => new Error("late")).catch(() => {});
  }

  #absolute(path: string): string {
    return path.startsWith("/") ? path : `${this.#options.plan.workingDirectory}/${path}`;
  }
}
