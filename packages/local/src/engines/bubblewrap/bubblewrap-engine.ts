import { variableOf } from "../process/marked-processes.ts";
import type { Spawner } from "../../spawner/spawner.ts";
import { DiscardedFolders } from "../discarded-folders.ts";
import type { Engine, EngineRefusal, EngineSandbox, SandboxPlan } from "../engine.ts";
import { Activity } from "./activity.ts";
import { entryBeside, ownNamespaces } from "./shared-namespaces.ts";
import { BubblewrapSandbox } from "./bubblewrap-sandbox.ts";
import { ContainedTar } from "./contained-tar.ts";
import type { CurrentEtc } from "./current-etc.ts";
import type { FirstProcess } from "./first-process.ts";
import { FolderPool } from "./folder-pool.ts";
import type { ImageRoot } from "./image-root.ts";
import { furnishSandboxFolder, isReadOnlyPlace } from "./sandbox-folder.ts";
import { mountingWords } from "./layered-volume.ts";
import { SandboxVolumes } from "./sandbox-volumes.ts";
import { SnapshotTrees } from "./snapshot-trees.ts";
import { SpareSandboxes } from "./spare-sandboxes.ts";
import { WaitingShells } from "./waiting-shell.ts";

export interface BubblewrapPrograms {
  readonly bwrap: string;
  readonly nsenter: string;
  /** Whether there is a shell whose ways are known well enough to become any command. */
  readonly hasDash: boolean;
}

export interface BubblewrapEngineOptions {
  readonly spawner: Spawner;
  readonly programs: BubblewrapPrograms;
  readonly firstProcess: FirstProcess;
  /** `NAME=value` in the environment of whatever belongs to this service. */
  readonly serviceMarker: string;
  /** Private folder for the sandboxes' folders; must exist. */
  readonly folder: string;
  /** Private folder for snapshots that volumes of many sandboxes begin with; made when it is needed. */
  readonly treesFolder: string;
  readonly rootOf: (image: string) => ImageRoot;
  /** Closed with the engine. */
  readonly etc: CurrentEtc;
}

/** One long-lived bwrap per sandbox, entered with nsenter (local-engine.md, 1 and 2). */
export class BubblewrapEngine implements Engine {
  readonly name = "bubblewrap";
  readonly hasVolumes = true;
  readonly publishesPorts = true;
  readonly enforces = ["memory", "read_only_root"] as const;
  readonly mountsVolumeFolders = true;
  readonly #options: BubblewrapEngineOptions;
  readonly #discarded: DiscardedFolders;
  readonly #tar: ContainedTar;
  readonly #trees: SnapshotTrees;
  /** One for each image root: their sandboxes have different mount points. */
  readonly #pools = new Map<ImageRoot, FolderPool>();

  readonly #activity = new Activity();
  readonly #spares: SpareSandboxes;
  readonly #shells: WaitingShells | undefined;

  constructor(options: BubblewrapEngineOptions) {
    this.#options = options;
    this.#spares = new SpareSandboxes({
      make: (plan) => this.#make(plan),
      rootOf: options.rootOf,
      activity: this.#activity,
    });
    this.#shells = options.programs.hasDash ? new WaitingShells(this.#activity) : undefined;
    this.#discarded = new DiscardedFolders(options.spawner);
    this.#tar = new ContainedTar(options.programs.bwrap);
    this.#trees = new SnapshotTrees({
      folder: options.treesFolder,
      tar: this.#tar,
      discard: (folder) => this.#discarded.add(folder),
    });
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

  reserve(plan: SandboxPlan): SandboxPlan {
    return this.#spares.reserve(plan);
  }

  start(plan: SandboxPlan): Promise<EngineSandbox> {
    return this.#activity.during(this.#begin(plan));
  }

  startBeside(plan: SandboxPlan, first: EngineSandbox): Promise<EngineSandbox> {
    if (!(first instanceof BubblewrapSandbox)) throw new Error("a sandbox of another engine");
    return this.#activity.during(this.#furnish(plan, () => this.#make(plan, first)));
  }

  async #begin(plan: SandboxPlan): Promise<EngineSandbox> {
    const spare = await this.#spares.take(plan.id);
    spare?.adopt(plan);
    return this.#furnish(plan, () => spare ?? this.#make(plan));
  }

  async #furnish(
    plan: SandboxPlan,
    make: () => BubblewrapSandbox | Promise<BubblewrapSandbox>,
  ): Promise<EngineSandbox> {
    const sandbox = await make();
    try {
      await sandbox.publish(plan.publish ?? []);
      for (const file of plan.files) await sandbox.writeFile(file.path, file.content);
    } catch (error) {
      await sandbox.stop();
      throw error;
    }
    return sandbox;
  }

  async #make(plan: SandboxPlan, first?: BubblewrapSandbox): Promise<BubblewrapSandbox> {
    const root = this.#options.rootOf(plan.image);
    const folder = await this.#poolOf(root).take();
    try {
      return await this.#start(plan, root, folder, first);
    } catch (error) {
      this.#discarded.add(folder);
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#spares.close();
    const pools = [...this.#pools.values()].map((pool) => pool.close());
    await Promise.all([...pools, this.#discarded.close(), this.#options.etc.close()]);
  }

  async #start(
    plan: SandboxPlan,
    root: ImageRoot,
    folder: string,
    first: BubblewrapSandbox | undefined,
  ): Promise<BubblewrapSandbox> {
    const tools = {
      tar: this.#tar,
      trees: this.#trees,
      nsenter: this.#options.programs.nsenter,
    };
    const volumesOf = first?.shared.folder ?? folder;
    const volumes = new SandboxVolumes(plan, volumesOf, tools);
    try {
      return await this.#hold(plan, root, { folder, volumes }, first);
    } catch (error) {
      await volumes.close();
      throw error;
    }
  }

  async #hold(
    plan: SandboxPlan,
    root: ImageRoot,
    { folder, volumes }: { readonly folder: string; readonly volumes: SandboxVolumes },
    first: BubblewrapSandbox | undefined,
  ): Promise<BubblewrapSandbox> {
    const { spawner, programs, firstProcess } = this.#options;
    const hostname = plan.id.slice(0, 60);
    await volumes.restoreOnDisk();
    const { root: ownRoot, inRoot } = await furnishSandboxFolder(
      folder,
      plan,
      hostname,
      root.etc,
      root.tools,
      { folder: first?.shared.folder ?? folder, layered: volumes.layered },
    );
    const held = await spawner.hold({
      leader:
        first === undefined
          ? mountingWords(folder, [...volumes.layered.values()])
          : entryBeside(programs.nsenter, first.shared.innerPid, plan),
      file: programs.bwrap,
      fileArgs: [
        ...(first === undefined ? ownNamespaces(plan, hostname) : []),
        ...["--unshare-pid", "--unshare-cgroup"],
        ...["--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"],
        ...ownRoot,
        ...["--proc", "/proc", "--dev", "/dev"],
        ...firstProcess.args,
        ...root.args,
        ...inRoot,
        ...(plan.readOnlyRoot === true ? ["--remount-ro", "/"] : []),
        ...["--chdir", plan.workingDirectory],
      ],
      command: firstProcess.command(root),
      // Of those who make the sandbox; what runs in it has another. By the marker one is found whose
      // maker was killed before it had said with whom it wants to die.
      environment: {
        PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
        ...variableOf(this.#options.serviceMarker),
      },
    });
    const sandbox = new BubblewrapSandbox({
      ...{ plan, root, held, folder, spawner, volumes },
      nsenter: programs.nsenter,
      shells: this.#shells,
      activity: this.#activity,
    });
    void sandbox.ended.then(() => volumes.close()).then(() => this.#discarded.add(folder));
    try {
      await volumes.restoreInMemory((command) => sandbox.exec(command));
    } catch (error) {
      await sandbox.stop();
      throw error;
    }
    return sandbox;
  }

  #poolOf(root: ImageRoot): FolderPool {
    const known = this.#pools.get(root);
    if (known !== undefined) return known;
    const pool = new FolderPool(
      this.#options.folder,
      root.tools.map(({ tool }) => tool.inside),
      root.links,
    );
    this.#pools.set(root, pool);
    return pool;
  }
}
