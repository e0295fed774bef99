import { withDeadline } from "../../deadline.ts";
import type { HeldProcess, SpawnedProcess, Spawner } from "../../spawner/spawner.ts";
import { KILLED_EXIT_CODE } from "../../spawner/process-end.ts";
import type {
  ArchiveTarget,
  Doom,
  EngineProcess,
  EngineSandbox,
  EngineTerminal,
  ExecCommand,
  SandboxPlan,
  TerminalExecCommand,
} from "../engine.ts";
import type { Activity } from "./activity.ts";
import { commandLaunched, terminateCommand } from "./entered-command.ts";
import { entryOf, environmentOf } from "./entry.ts";
import { type ImageRoot, SYSTEM_PATH } from "./image-root.ts";
import { LaunchFailure, SHELL_NAME } from "./launch-failure.ts";
import { MemoryWatch } from "./memory-watch.ts";
import { limitProcessesScript } from "./process-limit.ts";
import { PublishedPorts } from "./published-ports.ts";
import { openSandboxTerminal } from "./sandbox-terminal.ts";
import { SandboxFiles } from "./sandbox-files.ts";
import type { SandboxVolumes } from "./sandbox-volumes.ts";
import { WAIT_SCRIPT } from "./shell-script.ts";
import { type BecomingCommand, WaitingShell, type WaitingShells } from "./waiting-shell.ts";
import { workingDirectoryMoved } from "./working-directory.ts";

const STOP_SECONDS = 10;
const LEAVE_SECONDS = 1;

export interface BubblewrapSandboxOptions {
  readonly plan: SandboxPlan;
  readonly root: ImageRoot;
  readonly held: HeldProcess;
  /** Its folder on the host. */
  readonly folder: string;
  readonly spawner: Spawner;
  readonly nsenter: string;
  /** Undefined where the host has no shell that could wait for commands. */
  readonly shells: WaitingShells | undefined;
  readonly volumes: SandboxVolumes;
  readonly activity: Activity;
}

/** What leads a command in, from outside. */
interface Entered {
  readonly exited: Promise<unknown>;
  readonly signal?: (name: NodeJS.Signals) => void;
}

export class BubblewrapSandbox implements EngineSandbox {
  readonly ended: Promise<Doom>;
  readonly #options: BubblewrapSandboxOptions;
  readonly #files: SandboxFiles;
  readonly #entered = new Set<Entered>();
  readonly #shell: WaitingShell | undefined;
  #plan: SandboxPlan;
  #published: PublishedPorts | undefined;
  #over = false;
  #stopping = false;
  #doom: Doom | undefined;
  #memory: MemoryWatch | undefined;

  constructor(options: BubblewrapSandboxOptions) {
    this.#options = options;
    this.#plan = options.plan;
    this.ended = options.held.ended.then(async (end) => {
      this.#over = true;
      this.#shell?.close();
      this.#memory?.close();
      await this.#published?.close();
      if (this.#stopping) await this.#allLeft();
      const reason = end.lost
        ? "the service's helper process died, and with it the sandbox"
        : `the sandbox's first process ended unexpectedly (code ${end.exitCode})`;
      return this.#doom ?? { reason };
    });
    this.#watchMemory();
    const { shells } = options;
    this.#shell = shells && new WaitingShell(shells, () => this.#enterWaiting());
    this.#prepareShell();
    this.#files = new SandboxFiles(`/proc/${options.held.innerPid}/root`, (command) =>
      this.exec(command),
    );
  }

  /** For a sandbox that was made ahead: what it is to be, before anything runs in it. */
  adopt(plan: SandboxPlan): void {
    this.#plan = plan;
    this.#watchMemory();
    this.#prepareShell();
  }

  /** Not in a burst of creates: it would take the machine from those that wait to start. */
  #prepareShell(): void {
    if (!this.#options.activity.isCrowded) this.#shell?.prepare();
  }

  get doom(): Doom | undefined {
    return this.#doom;
  }

  /** What a container beside it shares with it. */
  get shared(): { readonly innerPid: number; readonly folder: string } {
    return { innerPid: this.#options.held.innerPid, folder: this.#options.folder };
  }

  /** Leads ports of the host to ports of its own network. Once, before anybody uses it. */
  async publish(ports: readonly number[]): Promise<void> {
    if (ports.length === 0) return;
    const { spawner, nsenter, held } = this.#options;
    const command = { nsenter, innerPid: held.innerPid, ports };
    const published = await PublishedPorts.open(spawner, command);
    this.#published = published;
    if (this.#over) await published.close();
  }

  get hostPorts(): ReadonlyMap<number, number> {
    return this.#published?.hostPorts ?? new Map<number, number>();
  }

  get isOver(): boolean {
    return this.#over;
  }

  async exec(command: ExecCommand): Promise<EngineProcess> {
    const environment = environmentOf(this.#plan, this.#options.root, command.environment);
    const { argv, wantsInput } = command;
    // Then the shell that waits is in the old one.
    const moved = workingDirectoryMoved(this.#options.held.innerPid, this.#plan.workingDirectory);
    const became = moved ? undefined : await this.#shell?.become({ argv, environment, wantsInput });
    const spawned = became ?? (await this.#enter({ argv, environment, wantsInput }));
    void this.#options.activity.during(spawned.exited);
    const leader = became === undefined ? "setpriv" : "shell";
    const failure = new LaunchFailure(argv[0] ?? "", leader);
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

  /** Starts a process in the sandbox, without any capability. */
  async #enter(
    { argv, environment, wantsInput }: BecomingCommand,
    words: { readonly limit?: readonly string[] } = {},
  ): Promise<SpawnedProcess> {
    const { root, held, spawner, nsenter } = this.#options;
    const entry = entryOf({ plan: this.#plan, root }, held.innerPid, environment, words);
    const spawned = await spawner.spawn({
      file: nsenter,
      args: [...entry.args, ...argv],
      environment: entry.environment,
      cwd: "/",
      wantsInput,
      leads: true,
    });
    this.#entered.add(spawned);
    void spawned.exited.then(() => this.#entered.delete(spawned));
    return spawned;
  }

  get terminalsMissing(): string | undefined {
    return this.#options.spawner.terminalsMissing;
  }

  async terminal(command: TerminalExecCommand): Promise<EngineTerminal> {
    const terminal = await openSandboxTerminal({ ...this.#options, plan: this.#plan }, command);
    this.#entered.add(terminal);
    void terminal.exited.then(() => this.#entered.delete(terminal));
    return terminal;
  }

  readFile(path: string, maxSizeBytes: number, signal?: AbortSignal): Promise<Uint8Array> {
    return this.#files.read(this.#absolute(path), maxSizeBytes, signal);
  }

  writeFile(path: string, content: Uint8Array, signal?: AbortSignal): Promise<void> {
    return this.#files.write(this.#absolute(path), content, signal);
  }

  archiveVolume(volume: string, target: ArchiveTarget): Promise<void> {
    const { volumes, held } = this.#options;
    const exec = (command: ExecCommand): Promise<EngineProcess> => this.exec(command);
    return volumes.archive(volume, target, { exec, innerPid: held.innerPid });
  }

  stop(): Promise<void> {
    return this.#options.activity.during(this.#stop());
  }

  async #stop(): Promise<void> {
    this.#stopping = true;
    this.#shell?.close();
    if (!this.#over) this.#options.held.kill();
    // Whoever leads in a stopped command has stopped too, and would not reap it.
    for (const entered of this.#entered) entered.signal?.("SIGCONT");
    await withDeadline(
      this.ended,
      STOP_SECONDS,
      () => new Error(`sandbox ${this.#plan.id} did not end within ${STOP_SECONDS} s of SIGKILL`),
    );
  }

  #watchMemory(): void {
    const { memoryLimitBytes } = this.#plan;
    if (memoryLimitBytes === undefined) return;
    const root = `/proc/${this.#options.held.innerPid}/root`;
    this.#memory = new MemoryWatch(root, memoryLimitBytes, (usedBytes) => {
      this.#doom = {
        reason: `it was killed: it used ${usedBytes} bytes of memory, and its memory limit is ${memoryLimitBytes}`,
        exitCode: KILLED_EXIT_CODE,
      };
      if (!this.#over) this.#options.held.kill();
    });
  }

  #enterWaiting(): Promise<SpawnedProcess> {
    const script = limitProcessesScript() + WAIT_SCRIPT;
    const argv = [...this.#options.root.hostProgram("dash"), "-c", script, SHELL_NAME];
    const shell = { argv, environment: { PATH: SYSTEM_PATH }, wantsInput: true };
    return this.#enter(shell, { limit: [] });
  }

  /** What led commands in is outside of the sandbox, and sees a moment later that they are dead. */
  async #allLeft(): Promise<void> {
    const left = Promise.all([...this.#entered].map(({ exited }) => exited));
    await withDeadline(left, LEAVE_SECONDS, () => new Error("late")).catch(() => {});
  }

  #absolute(path: string): string {
    return path.startsWith("/") ? path : `${this.#plan.workingDirectory}/${path}`;
  }
}
