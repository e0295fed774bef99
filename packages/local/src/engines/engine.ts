import type { Writable } from "node:stream";
import type { OutputPipe } from "../spawner/output-pipe.ts";
import type { ProcessEnd } from "../spawner/process-end.ts";

export type EngineName = "bubblewrap" | "process" | "docker";

export interface PlannedMount {
  readonly volume: string;
  /** Absolute and normalized. */
  readonly path: string;
  readonly readOnly: boolean;
  /** Relative folder within the volume; "" is the volume itself. */
  readonly subPath: string;
  /** Set for a volume in memory. */
  readonly memorySizeBytes: number | undefined;
}

export interface PlannedFile {
  readonly path: string;
  readonly content: Uint8Array;
}

export interface PlannedRestore {
  readonly volume: string;
  /** A tar archive on the host, which is there until the sandbox has started. */
  readonly archive: string;
  readonly snapshot: {
    /** Of what is in the archive: another archive of the same id has the same content. */
    readonly id: string;
    /** Aborted when nothing can begin with it any more. */
    readonly deleted: AbortSignal;
  };
}

/** What an engine needs to know of a sandbox; the service has checked all of it. */
export interface SandboxPlan {
  readonly id: string;
  readonly image: string;
  readonly workingDirectory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** A network of its own, in which it reaches nothing but itself. */
  readonly denyEgress: boolean;
  /** Ports to be reached from the host's loopback; only with a network of its own. Default: none. */
  readonly publish?: readonly number[];
  readonly mounts: readonly PlannedMount[];
  /** Volumes that begin with the content of a snapshot. */
  readonly restores: readonly PlannedRestore[];
  /** Other containers of the sandbox mount its volumes, too. Default false. */
  readonly sharesVolumes?: boolean;
  readonly files: readonly PlannedFile[];
  /** Enforced where the engine says that it enforces memory. */
  readonly memoryLimitBytes?: number | undefined;
  /** Enforced where the engine says that it enforces cpu. */
  readonly cpuLimitCores?: number | undefined;
  /** To be root whatever user the image names; only where that makes a difference. Default false. */
  readonly runsAsRoot?: boolean;
  /** Without `CAP_`; `ALL` is all of them. Only where commands have any. */
  readonly dropsCapabilities?: readonly string[];
  /** Only volumes and what the system has in memory can be written. */
  readonly readOnlyRoot?: boolean;
  /**
   * Directories of the host that are volumes of that name, mounted live and shared with other
   * sandboxes: nothing may be looked up or made in them from outside.
   */
  readonly volumeFolders?: ReadonlyMap<
    string,
    { readonly folder: string; readonly readOnly: boolean }
  >;
}

export interface ExecCommand {
  /** At least one word; looked up in the sandbox's PATH. */
  readonly argv: readonly string[];
  /** On top of the sandbox's own. */
  readonly environment: Readonly<Record<string, string>>;
  /** False: standard input is empty. */
  readonly wantsInput: boolean;
}

export interface EngineProcess {
  readonly stdin: Writable | undefined;
  readonly stdout: OutputPipe;
  readonly stderr: OutputPipe;
  readonly exited: Promise<ProcessEnd>;
  /** Resolves when the command itself runs, or has ended, or after a moment in which neither was seen. */
  launched(): Promise<void>;
  /** Why the command never ran, once `stderr` was read to its end; undefined when it did. */
  launchFailure(): string | undefined;
  /** SIGTERM to the command itself. */
  terminate(): void;
  /** SIGKILL to the command and its process group, at once. */
  kill(): void;
}

export interface TerminalExecCommand {
  /** At least one word; looked up in the sandbox's PATH. */
  readonly argv: readonly string[];
  /** On top of the sandbox's own. */
  readonly environment: Readonly<Record<string, string>>;
  readonly columns: number;
  readonly rows: number;
}

/** Where neither the sandbox nor the command says what kind of terminal it is. */
export const DEFAULT_TERM = { TERM: "xterm-256color" } as const;

/** A command in a terminal of its own. */
export interface EngineTerminal {
  /** What is typed; its end is Ctrl+D. */
  readonly stdin: Writable;
  readonly output: OutputPipe;
  readonly exited: Promise<ProcessEnd>;
  /** Resolves when the terminal has it, so that what is typed afterwards comes after it. Never rejects. */
  resize(size: { readonly columns: number; readonly rows: number }): Promise<void>;
  /** SIGKILL to the command and all that runs in its terminal. */
  kill(): void;
}

/** Why a sandbox has ended, or is about to, when nobody asked for it. */
export interface Doom {
  readonly reason: string;
  /** Of its main process, when a limit ended it. */
  readonly exitCode?: number;
}

export interface EngineSandbox {
  /** Resolves when no process of the sandbox is left; says why when nobody asked for it. */
  readonly ended: Promise<Doom>;
  /** Set when the engine itself kills it, before any of its processes ends by that. */
  readonly doom?: Doom | undefined;
  exec(command: ExecCommand): Promise<EngineProcess>;
  /** Why there are no terminals on this machine; undefined when there are. */
  readonly terminalsMissing: string | undefined;
  terminal(command: TerminalExecCommand): Promise<EngineTerminal>;
  /** Throws SandboxFileError. Relative paths start at the working directory. */
  readFile(path: string, maxSizeBytes: number, signal?: AbortSignal): Promise<Uint8Array>;
  /** Throws SandboxFileError. Makes missing parent directories. */
  writeFile(path: string, content: Uint8Array, signal?: AbortSignal): Promise<void>;
  /**
   * Writes a volume into a tar archive, while the sandbox goes on. Throws VolumeArchiveError. Only
   * where the engine has volumes.
   */
  archiveVolume(volume: string, target: ArchiveTarget): Promise<void>;
  /** Where the published ports are reached: the sandbox's port to one of the host's loopback. */
  readonly hostPorts?: ReadonlyMap<number, number>;
  /** Kills everything; resolves with `ended`. Files go afterwards. Safe to call twice. */
  stop(): Promise<void>;
}

/** Where an archive goes. */
export interface ArchiveTarget {
  /** Absolute; nothing must be there yet. What is there when it failed is for the caller to remove. */
  readonly file: string;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

export interface EngineRefusal {
  /** Whether another engine on this machine, or nothing local at all, could do it. */
  readonly kind: "wrong_engine" | "not_implemented";
  readonly field: string;
  readonly message: string;
}

/** One way to isolate. The service above does not know which one it has. */
export interface Engine {
  readonly name: EngineName;
  /** Whether sandboxes have volumes, which can be archived and made from archives. */
  readonly hasVolumes: boolean;
  /** Whether a sandbox can have a network of its own with ports published. Default false. */
  readonly publishesPorts?: boolean;
  /**
   * Whether that network still leads out, unless egress is denied. Default false: published ports
   * are in a network that leads nowhere.
   */
  readonly servicesHaveEgress?: boolean;
  /**
   * What of a plan holds. A limit of cpu or memory that does not is accepted, and people are told; a
   * read-only root is refused.
   */
  readonly enforces?: readonly ("cpu" | "memory" | "read_only_root")[];
  /**
   * What commands may do: `none`, they are root of a user namespace without a capability; `container`,
   * what Docker gives by default less what is dropped; `account`, all that the service may. Default `none`.
   */
  readonly privileges?: "none" | "container" | "account";
  /** Whether it mounts `volumeFolders` of a plan. Default: registered volumes are refused. */
  readonly mountsVolumeFolders?: boolean;
  /** Default: a moment. A client that looks at a sandbox which is starting or ending waits so long for it. */
  readonly usualStartSeconds?: number;
  /** Why this engine cannot give what the plan asks for; undefined when it can. */
  refusal(plan: SandboxPlan): EngineRefusal | undefined;
  /** The plan, under the id of a sandbox made ahead where there is one for it. Start it, or do not. */
  reserve?(plan: SandboxPlan): SandboxPlan;
  start(plan: SandboxPlan): Promise<EngineSandbox>;
  /**
   * Another container of a sandbox: with its network, host name and volumes, and a root and processes
   * of its own. Only before anything runs in one of them, and stopped before the first is. Absent
   * where a sandbox has one container.
   */
  startBeside?(plan: SandboxPlan, first: EngineSandbox): Promise<EngineSandbox>;
  /** Waits for the removal of what stopped sandboxes left; call after stopping them. */
  close(): Promise<void>;
}
