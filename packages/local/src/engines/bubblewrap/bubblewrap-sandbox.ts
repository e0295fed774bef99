import { readFileSync } from "node:fs";
import { withDeadline } from "../../deadline.ts";
import type { HeldProcess, SpawnedProcess, Spawner } from "../../spawner/spawner.ts";
import type { EngineProcess, EngineSandbox, ExecCommand, SandboxPlan } from "../engine.ts";
import type { ImageRoot } from "./image-root.ts";
import { SandboxFiles } from "./sandbox-files.ts";

const STOP_SECONDS = 10;

/** How often to look for the command of a process that has only just been started. */
const CHILD_LOOKS = 40;
const CHILD_LOOK_MILLISECONDS = 5;

/**
 * Variables that the loader and the C library of nsenter and setpriv would obey on their way in,
 * where nsenter still sees the host's files. They are set inside instead, for the command only.
 */
const OBEYED_BY_LIBRARIES =
  /^(LD_.*|GCONV_PATH|GETCONF_DIR|GLIBC_TUNABLES|HOSTALIASES|LOCALDOMAIN|LOCPATH|MALLOC_.*|NLSPATH|RESOLV_HOST_CONF|RES_OPTIONS|TZDIR)$/;

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
  #over = false;

  constructor(options: BubblewrapSandboxOptions) {
    this.#options = options;
    this.ended = options.held.ended.then((end) => {
      this.#over = true;
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
    return {
      stdin: spawned.stdin,
      stdout: spawned.stdout,
      stderr: spawned.stderr,
      exited: spawned.exited,
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

  async stop(): Promise<void> {
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

  #absolute(path: string): string {
    return path.startsWith("/") ? path : `${this.#options.plan.workingDirectory}/${path}`;
  }
}

/**
 * SIGTERM to the command, which is the only child of its nsenter: nsenter does not forward
 * signals, and the whole group would end nsenter and leave the command running.
 */
async function terminateCommand(spawned: SpawnedProcess): Promise<void> {
  let over = false;
  void spawned.exited.then(() => (over = true));
  for (let look = 0; look < CHILD_LOOKS; look += 1) {
    const child = onlyChild(spawned.pid);
    if (over) return;
    if (child !== undefined) {
      try {
        process.kill(child, "SIGTERM");
      } catch {
        // It ended a moment ago.
      }
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, CHILD_LOOK_MILLISECONDS));
  }
}

function onlyChild(pid: number): number | undefined {
  try {
    const child = Number.parseInt(readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1"), 10);
    return Number.isInteger(child) ? child : undefined;
  } catch {
    return undefined;
  }
}
