import type {
  ArchiveTarget,
  Doom,
  EngineProcess,
  EngineSandbox,
  EngineTerminal,
  ExecCommand,
  TerminalExecCommand,
} from "../../engines/engine.ts";
import { VolumeArchiveError } from "../../engines/volume-archive-error.ts";
import type { SideContainer } from "./container.ts";

/** Several containers as one sandbox: commands go to the primary one, and with it all of them end. */
export class SandboxOfContainers implements EngineSandbox {
  readonly ended: Promise<Doom>;
  readonly #primary: EngineSandbox;
  readonly #sides: readonly SideContainer[];

  constructor(primary: EngineSandbox, sides: readonly SideContainer[]) {
    this.#primary = primary;
    this.#sides = sides;
    this.ended = primary.ended.then(async (doom) => {
      await this.#stopSides().catch(() => {});
      return doom;
    });
  }

  get doom(): Doom | undefined {
    return this.#primary.doom;
  }

  /** All of them have the network of the primary one. */
  get hostPorts(): ReadonlyMap<number, number> {
    return this.#primary.hostPorts ?? new Map<number, number>();
  }

  get terminalsMissing(): string | undefined {
    return this.#primary.terminalsMissing;
  }

  exec(command: ExecCommand): Promise<EngineProcess> {
    return this.#primary.exec(command);
  }

  terminal(command: TerminalExecCommand): Promise<EngineTerminal> {
    return this.#primary.terminal(command);
  }

  readFile(path: string, maxSizeBytes: number, signal?: AbortSignal): Promise<Uint8Array> {
    return this.#primary.readFile(path, maxSizeBytes, signal);
  }

  writeFile(path: string, content: Uint8Array, signal?: AbortSignal): Promise<void> {
    return this.#primary.writeFile(path, content, signal);
  }

  /** A volume in memory is seen only by the container that mounts it. */
  archiveVolume(volume: string, target: ArchiveTarget): Promise<void> {
    const owner = this.#sides.find(({ plan }) =>
      plan.mounts.some((mount) => mount.volume === volume && mount.memorySizeBytes !== undefined),
    );
    if (owner === undefined) return this.#primary.archiveVolume(volume, target);
    if (owner.furnished !== undefined) return owner.furnished.archiveVolume(volume, target);
    const message = `volume ${volume} was in the memory of container ${owner.name}, which has ended`;
    return Promise.reject(new VolumeArchiveError("failed", message));
  }

  /** The primary one last: the volumes are its own. */
  async stop(): Promise<void> {
    try {
      await this.#stopSides();
    } finally {
      await this.#primary.stop();
    }
    await this.ended;
  }

  async #stopSides(): Promise<void> {
    await Promise.all(this.#sides.map((side) => side.stop()));
  }
}
