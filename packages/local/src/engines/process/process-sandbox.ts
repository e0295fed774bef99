import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type { SpawnedProcess, Spawner } from "../../spawner/spawner.ts";
import {
  DEFAULT_TERM,
  type EngineProcess,
  type EngineSandbox,
  type EngineTerminal,
  type ExecCommand,
  type SandboxPlan,
  type TerminalExecCommand,
} from "../engine.ts";
import { readBounded } from "../read-bounded.ts";
import { fileErrorFromErrno, SandboxFileError } from "../sandbox-file-error.ts";
import { sandboxIsEnding } from "../sandbox-unreachable-error.ts";
import { VolumeArchiveError } from "../volume-archive-error.ts";
import { missingProgram } from "./missing-program.ts";
import { killMarkedProcesses, variableOf } from "./marked-processes.ts";
import type { PrivateFolders } from "./private-folders.ts";

export interface ProcessSandboxOptions {
  readonly plan: SandboxPlan;
  readonly folders: PrivateFolders;
  readonly spawner: Spawner;
  readonly serviceMarker: string;
  readonly searchPath: string;
}

/** Runs argv as a shell would, so that a missing program is 127 and one that cannot run is 126. */
const RUN_SCRIPT = 'exec "$@"';

export class ProcessSandbox implements EngineSandbox {
  readonly ended: Promise<{ readonly reason: string }>;
  readonly #options: ProcessSandboxOptions;
  readonly #end = Promise.withResolvers<{ readonly reason: string }>();
  readonly #running = new Set<Pick<SpawnedProcess, "signal">>();
  #stopping: Promise<void> | undefined;

  constructor(options: ProcessSandboxOptions) {
    this.#options = options;
    this.ended = this.#end.promise;
    void options.spawner.lost.then(() => {
      // Nobody watches over the processes any more: end them from here.
      killMarkedProcesses(this.#marker);
      this.#end.resolve({
        reason: "the service's helper process died, and the sandbox was ended with it",
      });
    });
  }

  get #marker(): string {
    return `TIDYBOX_SANDBOX_ID=${this.#options.plan.id}`;
  }

  async exec(command: ExecCommand): Promise<EngineProcess> {
    const { plan, folders, spawner } = this.#options;
    if (this.#stopping !== undefined) throw sandboxIsEnding(plan.id);
    const environment = this.#environment(command.environment);
    const spawned = await spawner.spawn({
      file: "/bin/sh",
      args: ["-c", RUN_SCRIPT, "sh", ...command.argv],
      environment,
      cwd: folders.workspace,
      wantsInput: command.wantsInput,
    });
    this.#running.add(spawned);
    void spawned.exited.then(() => this.#running.delete(spawned));
    // A stop began while it was being started: its scan may have been too early to see it.
    if (this.#stopping !== undefined) spawned.signal("SIGKILL");
    const missing = (): string | undefined =>
      missingProgram(command.argv[0] ?? "", environment["PATH"] ?? "", folders.workspace);
    return {
      stdin: spawned.stdin,
      stdout: spawned.stdout,
      stderr: spawned.stderr,
      exited: spawned.exited,
      // The shell that was started becomes the command, unless there is none.
      launched: async () => {
        if (missing() !== undefined) await spawned.exited;
      },
      launchFailure: missing,
      terminate: () => terminate(spawned.pid),
      kill: () => spawned.signal("SIGKILL"),
    };
  }

  get terminalsMissing(): string | undefined {
    return this.#options.spawner.terminalsMissing;
  }

  async terminal(command: TerminalExecCommand): Promise<EngineTerminal> {
    const { plan, folders, spawner } = this.#options;
    if (this.#stopping !== undefined) throw sandboxIsEnding(plan.id);
    const terminal = await spawner.terminal({
      file: "/bin/sh",
      args: ["-c", RUN_SCRIPT, "sh", ...command.argv],
      environment: this.#environment({
        ...(plan.environment["TERM"] === undefined && DEFAULT_TERM),
        ...command.environment,
      }),
      cwd: folders.workspace,
      columns: command.columns,
      rows: command.rows,
      owns: true,
    });
    const running = { signal: () => terminal.kill() };
    this.#running.add(running);
    void terminal.exited.then(() => this.#running.delete(running));
    // As above: its scan may have been too early.
    if (this.#stopping !== undefined) terminal.kill();
    return terminal;
  }

  #environment(variables: Readonly<Record<string, string>>): Record<string, string> {
    const { plan, folders, serviceMarker, searchPath } = this.#options;
    return {
      PATH: searchPath,
      LANG: "C.UTF-8",
      HOME: folders.home,
      TMPDIR: folders.temporary,
      ...plan.environment,
      ...variables,
      ...variableOf(this.#marker),
      ...variableOf(serviceMarker),
    };
  }

  async readFile(path: string, maxSizeBytes: number): Promise<Uint8Array> {
    const host = await this.#options.folders.locate(path, { makeParents: false });
    try {
      const file = await open(
        host,
        constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
      );
      try {
        return await readBounded(file, path, maxSizeBytes);
      } finally {
        await file.close();
      }
    } catch (error) {
      throw error instanceof SandboxFileError ? error : fileErrorFromErrno(error, path);
    }
  }

  async writeFile(path: string, content: Uint8Array): Promise<void> {
    const host = await this.#options.folders.locate(path, { makeParents: true });
    try {
      const flags =
        constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
      const file = await open(host, flags, 0o644);
      try {
        if (!(await file.stat()).isFile())
          throw new SandboxFileError("unusable_path", `${path} is not a regular file`);
        await file.truncate(0);
        await file.writeFile(content);
      } finally {
        await file.close();
      }
    } catch (error) {
      throw error instanceof SandboxFileError ? error : fileErrorFromErrno(error, path);
    }
  }

  archiveVolume(): Promise<never> {
    return Promise.reject(new VolumeArchiveError("failed", "the engine has no volumes"));
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#kill();
    return this.#stopping;
  }

  async #kill(): Promise<void> {
    for (const spawned of this.#running) spawned.signal("SIGKILL");
    // What called setsid left its group, but not its environment.
    await this.#options.spawner.killMarked(this.#marker);
    this.#end.resolve({ reason: "the sandbox was stopped" });
  }
}

/** SIGTERM to the main process itself, as a container gets it. */
function terminate(pid: number): void {
  try {
    process.kill(pid, "SIGTERM");
  } catch {
    // It ended a moment ago.
  }
}
