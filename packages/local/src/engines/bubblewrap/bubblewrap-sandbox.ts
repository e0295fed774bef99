import { withDeadline } from "../../deadline.ts";
import type { HeldProcess, SpawnedProcess, Spawner } from "../../spawner/spawner.ts";
import type {
  ArchiveTarget,
  EngineProcess,
  EngineSandbox,
  ExecCommand,
  SandboxPlan,
} from "../engine.ts";
import type { ImageRoot } from "./image-root.ts";
import { commandLaunched, terminateCommand } from "./entered-command.ts";
import { LaunchFailure } from "./launch-failure.ts";
import { SandboxFiles } from "./sandbox-files.ts";
import type { SandboxVolumes } from "./sandbox-volumes.ts";

const STOP_SECONDS = 10;
const LEAVE_SECONDS = 1;

/**
 * Variables that the loader and the C library of nsenter and setpriv would obey on their way in,
 * where nsenter still sees the host's files. They are set inside instead, for the command only.
 */
const OBEYED_BY_LIBRARIES =
  /^(LANGUAGE|LD_.*|GCONV_PATH|GETCONF_DIR|GLIBC_TUNABLES|HOSTALIASES|LOCALDOMAIN|LOCPATH|MALLOC_.*|MUSL_LOCPATH|NLSPATH|RESOLV_HOST_CONF|RES_OPTIONS|TZDIR)$/;

export interface BubblewrapSandboxOptions {
  readonly plan: SandboxPlan;
  readonly root: ImageRoot;
  readonly held: HeldProcess;
  readonly spawner: Spawner;
  readonly nsenter: string;
  readonly volumes: SandboxVolumes;
}

export class BubblewrapSandbox implements EngineSandbox {
  readonly ended: Promise<{ readonly reason: string }>;
  readonly #options: BubblewrapSandboxOptions;
  readonly #files: SandboxFiles;
  readonly #entered = new Set<SpawnedProcess>();
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
    const { plan, root, held, spawner, nsenter } = this.#options;
    const environment: Record<string, string> = { PATH: root.path, HOME: "/root", LANG: "C.UTF-8" };
    const inside: string[] = [];
    for (const [name, value] of Object.entries({ ...plan.environment, ...command.environment })) {
      if (OBEYED_BY_LIBRARIES.test(name)) inside.push(`${name}=${value}`);
      else environment[name] = value;
    }
    const spawned = await spawner.spawn({
      file: nsenter,
      args: [
        ...["--preserve-credentials", "-t", String(held.innerPid), "-U", "-m", "-u", "-i"],
        ...(plan.denyEgress ? ["-n"] : []),
        ...["-p", "-C", "-w", "--"],
        // nsenter alone has every capability of the sandbox's user namespace: it could remount a
        // read-only bind and write to the host's files.
        ...root.hostProgram("setpriv"),
        ...["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", "--"],
        ...(inside.length > 0 ? [...root.hostProgram("env"), ...inside] : []),
        ...command.argv,
      ],
      environment,
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

  readFile(path: string, maxSizeBytes: number): Promise<Uint8Array> {
    return this.#files.read(this.#absolute(path), maxSizeBytes);
  }

  writeFile(path: string, content: Uint8Array): Promise<void> {
    return this.#files.write(this.#absolute(path), content);
  }

  archiveVolume(volume: string, target: ArchiveTarget): Promise<void> {
    return this.#options.volumes.archive(volume, target, (command) => this.exec(command));
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
