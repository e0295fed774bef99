import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { removeTree } from "../../state-folder/remove-tree.ts";
import type { Spawner } from "../../spawner/spawner.ts";
import type { Engine, EngineRefusal, EngineSandbox, SandboxPlan } from "../engine.ts";
import { BubblewrapSandbox } from "./bubblewrap-sandbox.ts";
import type { ImageRoot } from "./image-root.ts";
import { isReadOnlyPlace, makeSandboxFolder } from "./sandbox-folder.ts";

export interface BubblewrapPrograms {
  readonly bwrap: string;
  readonly nsenter: string;
}

export interface BubblewrapEngineOptions {
  readonly spawner: Spawner;
  readonly programs: BubblewrapPrograms;
  /** Private folder for the sandboxes' folders. */
  readonly folder: string;
  readonly rootOf: (image: string) => ImageRoot;
}

/** One long-lived bwrap per sandbox, entered with nsenter (local-engine.md, 1 and 2). */
export class BubblewrapEngine implements Engine {
  readonly name = "bubblewrap";
  readonly #options: BubblewrapEngineOptions;
  readonly #removals = new Set<Promise<void>>();

  constructor(options: BubblewrapEngineOptions) {
    this.#options = options;
    mkdirSync(options.folder, { recursive: true, mode: 0o700 });
  }

  refusal(plan: SandboxPlan): EngineRefusal | undefined {
    for (const mount of plan.mounts) {
      if (!isReadOnlyPlace(mount.path)) continue;
      const message = `the local engine cannot mount a volume at ${mount.path}: system folders are read-only here`;
      return {
        kind: "not_implemented",
        field: "sandbox.spec.containers[0].volume_mounts",
        message,
      };
    }
    return undefined;
  }

  async start(plan: SandboxPlan): Promise<EngineSandbox> {
    const folder = join(this.#options.folder, plan.id);
    try {
      return await this.#start(plan, folder);
    } catch (error) {
      this.#remove(folder);
      throw error;
    }
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#removals);
  }

  async #start(plan: SandboxPlan, folder: string): Promise<EngineSandbox> {
    const { spawner, programs, rootOf } = this.#options;
    const root = rootOf(plan.image);
    const hostname = plan.id.slice(0, 60);
    const folderArguments = await makeSandboxFolder(folder, plan, hostname, root.etc, root.tools);
    const held = await spawner.hold({
      file: programs.bwrap,
      fileArgs: [
        ...["--unshare-user", "--uid", "0", "--gid", "0"],
        ...["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup"],
        ...(plan.denyEgress ? ["--unshare-net"] : []),
        ...[
          "--hostname",
          hostname,
          "--die-with-parent",
          "--new-session",
          "--cap-drop",
          "ALL",
          "--clearenv",
        ],
        ...["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/dev/shm", "--tmpfs", "/run"],
        ...root.args,
        ...folderArguments,
        ...["--chdir", plan.workingDirectory],
      ],
      command: root.hostProgram("cat"),
      environment: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
    });
    const sandbox = new BubblewrapSandbox({ plan, root, held, spawner, nsenter: programs.nsenter });
    void sandbox.ended.then(() => this.#remove(folder));
    try {
      for (const file of plan.files) await sandbox.writeFile(file.path, file.content);
    } catch (error) {
      await sandbox.stop();
      throw error;
    }
    return sandbox;
  }

  #remove(folder: string): void {
    const removal = removeTree(folder).finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
    removal.catch(() => {});
  }
}
