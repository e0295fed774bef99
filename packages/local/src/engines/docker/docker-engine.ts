import { basename } from "node:path";
import type { Socket } from "node:net";
import type { Container } from "dockerode";
import type { Engine, EngineRefusal, EngineSandbox, SandboxPlan } from "../engine.ts";
import { containerOptions } from "./container-options.ts";
import {
  diskRestores,
  diskVolumes,
  restoreDiskVolumes,
  restoreMemoryVolumes,
  volumeName,
} from "./container-volumes.ts";
import { type DockerConnection, DockerCallError, inBody } from "./docker-connection.ts";
import { DockerImages } from "./docker-images.ts";
import { removeAllOf } from "./docker-leftovers.ts";
import { dockerRefusal } from "./docker-refusal.ts";
import { DockerSandbox } from "./docker-sandbox.ts";
import { ownerLabels, SANDBOX_LABEL } from "./owner-label.ts";
import { publishedPorts } from "./published-ports.ts";
import { SandboxBelongings } from "./sandbox-belongings.ts";
import { SnapshotVolumes, upperOf } from "./snapshot-volumes.ts";
import { tarOf } from "./tar-archive.ts";
import { volumeHolders } from "./volume-holder.ts";

export interface DockerEngineOptions {
  readonly docker: DockerConnection;
  readonly stateFolder: string;
  /** Of the machine that the containers run on. */
  readonly cpus: number;
  /** Whether ports that Docker publishes on its loopback are on this machine's. */
  readonly publishesPorts: boolean;
  /** Image name to the name that Docker has for it. */
  readonly images: Readonly<Record<string, string>>;
}

/** The sandbox's own container, or one beside it. */
interface Place {
  readonly belongings: SandboxBelongings;
  readonly name: string;
  readonly networkOf: string | undefined;
}

/** One container for each of a sandbox's, which lives exactly as long as this service holds its input. */
export class DockerEngine implements Engine {
  readonly name = "docker";
  readonly hasVolumes = true;
  readonly publishesPorts: boolean;
  readonly servicesHaveEgress = true;
  readonly privileges = "container";
  readonly enforces = ["cpu", "memory", "read_only_root"] as const;
  readonly usualStartSeconds = 1;
  readonly #options: DockerEngineOptions;
  readonly #images: DockerImages;
  readonly #labels: Readonly<Record<string, string>>;
  readonly #service: string;
  readonly #snapshots: SnapshotVolumes;
  readonly #belongings = new WeakMap<EngineSandbox, SandboxBelongings>();
  readonly #removals = new Set<Promise<void>>();
  /** Images that are known to have a shell. */
  readonly #withShell = new Set<string>();
  #besides = 0;

  constructor(options: DockerEngineOptions) {
    this.#options = options;
    this.publishesPorts = options.publishesPorts;
    this.#images = new DockerImages(options.docker);
    this.#service = basename(options.stateFolder);
    this.#labels = ownerLabels(this.#service);
    this.#snapshots = new SnapshotVolumes({
      ...{ docker: options.docker, images: this.#images },
      ...{ labels: this.#labels, service: this.#service },
      later: (work) => this.#later(work),
    });
  }

  refusal(plan: SandboxPlan): EngineRefusal | undefined {
    return dockerRefusal(plan);
  }

  async start(plan: SandboxPlan): Promise<EngineSandbox> {
    const belongings = new SandboxBelongings(this.#options.docker);
    const name = `tidybox-${plan.id}`;
    try {
      const sandbox = await this.#start(plan, { belongings, name, networkOf: undefined });
      this.#belongings.set(sandbox, belongings);
      void sandbox.ended.then(() => this.#later(belongings.remove()));
      return sandbox;
    } catch (error) {
      this.#later(belongings.remove());
      throw error;
    }
  }

  async startBeside(plan: SandboxPlan, first: EngineSandbox): Promise<EngineSandbox> {
    const belongings = this.#belongings.get(first);
    if (!(first instanceof DockerSandbox) || belongings === undefined)
      throw new Error("a sandbox of another engine");
    this.#besides += 1;
    const name = `tidybox-${plan.id}-${this.#besides}`;
    const sandbox = await this.#start(plan, { belongings, name, networkOf: first.containerId });
    void sandbox.ended.then(() => this.#later(belongings.removeContainer(sandbox.containerId)));
    return sandbox;
  }

  async close(): Promise<void> {
    await Promise.all(this.#removals);
    const left = await removeAllOf(this.#options.docker, this.#service);
    if (left.length > 0) throw new Error(left.join("; "));
  }

  /** What it made of this when it fails is among the belongings. */
  async #start(plan: SandboxPlan, place: Place): Promise<DockerSandbox> {
    const labels = { ...this.#labels, [SANDBOX_LABEL]: plan.id };
    const layered = await this.#createVolumes(plan, place, labels);
    const container = await this.#create(plan, place, labels);
    const holders = volumeHolders({
      ...{ docker: this.#options.docker, belongings: place.belongings, labels },
      image: this.#imageOf(plan),
    });
    await this.#checkShell(container, plan);
    await restoreDiskVolumes(this.#options.docker, container, holders, plan, layered);
    await this.#writeFiles(container, plan);
    const { docker } = this.#options;
    const lifeline = await this.#run(container);
    const hostPorts = await publishedPorts(docker, container, plan).catch((error: unknown) => {
      lifeline.destroy();
      throw error;
    });
    const sandbox = new DockerSandbox({
      ...{ docker, container, plan, lifeline, holders, hostPorts },
      remove: () => place.belongings.removeContainer(container.id),
    });
    try {
      await restoreMemoryVolumes(sandbox, plan);
      for (const { path, content } of plan.files) {
        if (isInMemory(plan, path)) await sandbox.writeFile(path, content);
      }
    } catch (error) {
      // Failing twice must not hide why.
      await sandbox.stop().catch(() => {});
      throw error;
    }
    return sandbox;
  }

  /** Those that show their snapshot then. */
  async #createVolumes(
    plan: SandboxPlan,
    { belongings }: Place,
    labels: Readonly<Record<string, string>>,
  ): Promise<ReadonlySet<string>> {
    const { docker } = this.#options;
    const layered = new Set<string>();
    for (const restore of diskRestores(plan)) {
      const shared = await this.#snapshots.borrow(restore, this.#imageOf(plan));
      if (shared === undefined) continue;
      belongings.addBorrowed(shared);
      const name = volumeName(plan.id, restore.volume);
      await this.#snapshots.makeVolume(shared.content, { name, labels, belongings });
      layered.add(restore.volume);
    }
    for (const volume of diskVolumes(plan)) {
      const name = volumeName(plan.id, volume);
      // Made for another container of the sandbox, or just now, and not like others.
      if (belongings.hasVolume(upperOf(name))) continue;
      belongings.addVolume(name);
      // One that is there already is the same one: containers share it.
      await docker.call("make a volume", (options) =>
        docker.api.createVolume({ ...options, ...inBody({ Name: name, Labels: labels }) }),
      );
    }
    return layered;
  }

  async #create(
    plan: SandboxPlan,
    { belongings, name, networkOf }: Place,
    labels: Readonly<Record<string, string>>,
  ): Promise<Container> {
    const { docker, cpus } = this.#options;
    const image = this.#imageOf(plan);
    const wanted = containerOptions(plan, { image, labels, cpus, networkOf });
    const container = await this.#images.with(image, () =>
      docker.call(`make a container of the image ${JSON.stringify(image)}`, (options) =>
        docker.api.createContainer({ ...options, ...inBody(wanted, { name }) }),
      ),
    );
    belongings.addContainer(container.id);
    return container;
  }

  async #checkShell(container: Container, plan: SandboxPlan): Promise<void> {
    if (this.#withShell.has(plan.image)) return;
    await this.#options.docker
      .call("look for /bin/sh", async (options) => {
        const answer = await container.infoArchive({ ...options, path: "/bin/sh" });
        // Unread, it would keep its connection for ever.
        (answer as NodeJS.ReadableStream).resume();
      })
      .catch((error: unknown) => {
        if (!(error instanceof DockerCallError) || error.status !== 404) throw error;
        throw new Error(
          `the image ${JSON.stringify(plan.image)} has no /bin/sh: the engine "docker" runs commands through it. Use an image with a shell.`,
        );
      });
    this.#withShell.add(plan.image);
  }

  /** Before anything runs in it. */
  async #writeFiles(container: Container, plan: SandboxPlan): Promise<void> {
    const files = plan.files.filter(({ path }) => !isInMemory(plan, path));
    if (files.length === 0) return;
    await this.#options.docker.call("write files", (options) =>
      container.putArchive(tarOf(files), { ...options, path: "/" }),
    );
  }

  async #run(container: Container): Promise<Socket> {
    const { docker } = this.#options;
    const lifeline = (await docker.call("attach to a container", (options) =>
      container.attach({ ...options, stream: true, stdin: true, hijack: true }),
    )) as unknown as Socket;
    lifeline.on("error", () => {}).resume();
    try {
      await docker.call("start a container", (options) => container.start(options));
    } catch (error) {
      lifeline.destroy();
      throw error;
    }
    return lifeline;
  }

  #imageOf({ image }: SandboxPlan): string {
    return this.#options.images[image] ?? image;
  }

  /** What fails is done once more when the service closes, and by the next one. */
  #later(work: Promise<void>): void {
    const removal: Promise<void> = work
      .catch(() => {})
      .finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
  }
}

function isInMemory({ mounts }: SandboxPlan, path: string): boolean {
  return mounts.some(
    (mount) => mount.memorySizeBytes !== undefined && path.startsWith(`${mount.path}/`),
  );
}
