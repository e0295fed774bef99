import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Spawner } from "../../spawner/spawner.ts";
import { DiscardedFolders } from "../discarded-folders.ts";
import type { Engine, EngineRefusal, EngineSandbox, SandboxPlan } from "../engine.ts";
import { searchPath } from "../find-program.ts";
import { PrivateFolders } from "./private-folders.ts";
import { ProcessSandbox } from "./process-sandbox.ts";

export interface ProcessEngineOptions {
  readonly spawner: Spawner;
  /** Private folder for the sandboxes' folders. */
  readonly folder: string;
  /** `NAME=value` by which the helper's watchdog knows everything that this service started. */
  readonly serviceMarker: string;
}

/**
 * Plain processes in private folders, for machines without namespaces: no isolation from the host
 * but a folder, an environment and a process group of one's own (local-engine.md, 12).
 */
export class ProcessEngine implements Engine {
  readonly name = "process";
  readonly hasVolumes = false;
  readonly privileges = "account";
  readonly #options: ProcessEngineOptions;
  readonly #searchPath = searchPath();
  readonly #discarded: DiscardedFolders;

  constructor(options: ProcessEngineOptions) {
    this.#options = options;
    this.#discarded = new DiscardedFolders(options.spawner);
    mkdirSync(options.folder, { recursive: true, mode: 0o700 });
  }

  refusal(plan: SandboxPlan): EngineRefusal | undefined {
    if (plan.denyEgress) {
      return {
        kind: "wrong_engine",
        field: "sandbox.spec.network.deny_egress",
        message:
          'the engine "process" cannot deny egress: it shares the host\'s network. ' +
          'Use the engine "bubblewrap" (Linux: `apt-get install bubblewrap`), or leave deny_egress out.',
      };
    }
    if (plan.mounts.length > 0) {
      return {
        kind: "wrong_engine",
        field: "sandbox.spec.volumes",
        message:
          'the engine "process" cannot mount volumes: it shares the host\'s file system. Use the engine "bubblewrap".',
      };
    }
    const folders = new PrivateFolders("/", plan.workingDirectory);
    const outside = [plan.workingDirectory, ...plan.files.map(({ path }) => path)].find(
      (path) => !folders.covers(path),
    );
    if (outside === undefined) return undefined;
    return {
      kind: "wrong_engine",
      field: "sandbox.spec.containers[0]",
      message:
        `the engine "process" has no ${outside} of its own: only paths below /workspace, /tmp and /root are private. ` +
        'Use the engine "bubblewrap", or another path.',
    };
  }

  async start(plan: SandboxPlan): Promise<EngineSandbox> {
    const folder = join(this.#options.folder, plan.id);
    const folders = new PrivateFolders(folder, plan.workingDirectory);
    folders.make();
    const { spawner, serviceMarker } = this.#options;
    const sandbox = new ProcessSandbox({
      plan,
      folders,
      spawner,
      serviceMarker,
      searchPath: this.#searchPath,
    });
    void sandbox.ended.then(() => this.#discarded.add(folder));
    try {
      for (const file of plan.files) await sandbox.writeFile(file.path, file.content);
      return sandbox;
    } catch (error) {
      await sandbox.stop();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#discarded.close();
  }
}
