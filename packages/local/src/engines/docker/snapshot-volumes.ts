import { createReadStream, statSync } from "node:fs";
import type { PlannedRestore } from "../engine.ts";
import { type Borrowed, SharedSnapshots } from "../shared-snapshots.ts";
import { type DockerConnection, inBody } from "./docker-connection.ts";
import type { DockerImages } from "./docker-images.ts";
import { SandboxBelongings } from "./sandbox-belongings.ts";
import { HELD_VOLUME, type VolumeHolders, volumeHolders } from "./volume-holder.ts";

/** Less is unpacked in the time that more volumes and a mount take. */
const SHARED_FROM_BYTES = 4 * 1024 * 1024;
const UNPACK_SECONDS = 300;

/** What can stand in the options of a mount as it is. */
const PLAIN_PATH = /^\/[\w./-]+$/;

/** Else a folder of the snapshot could not be renamed, and names of one file would part. */
const LIKE_A_COPY = "index=on,redirect_dir=on,metacopy=off";

export interface SnapshotVolumesOptions {
  readonly docker: DockerConnection;
  readonly images: DockerImages;
  /** Of the service. */
  readonly labels: Readonly<Record<string, string>>;
  /** The service, for the names of volumes. */
  readonly service: string;
  /** Does what nobody waits for. */
  readonly later: (work: Promise<void>) => void;
}

/** A volume that has a snapshot's content, and is mounted nowhere but below others. */
export interface SnapshotVolume {
  /** On the daemon's machine. */
  readonly folder: string;
  readonly belongings: SandboxBelongings;
}

/** The volume that has what is changed in one that shows a snapshot. */
export function upperOf(name: string): string {
  return `${name}-upper`;
}

interface Wanted extends PlannedRestore {
  /** One that is to run: it makes what is never started. */
  readonly image: string;
}

/** A volume to be, of a sandbox that has these labels and belongings. */
interface Place {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly belongings: SandboxBelongings;
}

/**
 * Snapshots that volumes begin with, unpacked once, in a volume of their own. Those that begin with
 * one are overlays, which the daemon mounts as it does any volume.
 */
export class SnapshotVolumes {
  readonly #options: SnapshotVolumesOptions;
  readonly #shared: SharedSnapshots<SnapshotVolume, Wanted>;
  #count = 0;
  /** A daemon that could not mount one will not mount another. */
  #overlaysFail = false;

  constructor(options: SnapshotVolumesOptions) {
    this.#options = options;
    this.#shared = new SharedSnapshots({
      make: (wanted) => this.#fill(wanted),
      discard: ({ belongings }) => options.later(belongings.remove()),
    });
  }

  /**
   * Undefined where a volume had better be unpacked for its own: the snapshot is small, or the daemon
   * mounts no overlays for us.
   */
  async borrow(
    restore: PlannedRestore,
    image: string,
  ): Promise<Borrowed<SnapshotVolume> | undefined> {
    if (this.#overlaysFail || statSync(restore.archive).size < SHARED_FROM_BYTES) return undefined;
    return this.#shared.borrow({ ...restore, image });
  }

  /** Makes the volume that shows it, and the two that have what is changed. Nothing is mounted yet. */
  async makeVolume({ folder: lower }: SnapshotVolume, place: Place): Promise<void> {
    const { name } = place;
    const [upper, work] = await Promise.all([
      this.#make({ ...place, name: upperOf(name) }),
      this.#make({ ...place, name: `${name}-work` }),
    ]);
    await this.#make(place, {
      type: "overlay",
      device: "overlay",
      o: `lowerdir=${lower},upperdir=${upper},workdir=${work},${LIKE_A_COPY}`,
    });
  }

  async #fill({ archive, image }: Wanted): Promise<SnapshotVolume | undefined> {
    const { docker, images, labels, service, later } = this.#options;
    const belongings = new SandboxBelongings(docker);
    this.#count += 1;
    const name = `${service}-snapshot-${this.#count}`;
    try {
      const folder = await this.#make({ name, labels, belongings });
      const holders = volumeHolders({ docker, image, labels, belongings });
      await images.with(image, () =>
        holders.use(name, (holder) =>
          docker.call(
            "unpack a snapshot",
            (options) =>
              holder.putArchive(createReadStream(archive), { ...options, path: HELD_VOLUME }),
            UNPACK_SECONDS,
          ),
        ),
      );
      const volume = { folder, belongings };
      if (PLAIN_PATH.test(folder) && (await this.#canShow(volume, `${name}-probe`, holders)))
        return volume;
      this.#overlaysFail = true;
    } catch (error) {
      later(belongings.remove());
      throw error;
    }
    later(belongings.remove());
    return undefined;
  }

  /** Really mounts one: daemons without root, and some file systems, cannot. */
  async #canShow(volume: SnapshotVolume, name: string, holders: VolumeHolders): Promise<boolean> {
    const { docker, labels } = this.#options;
    const belongings = new SandboxBelongings(docker);
    try {
      await this.makeVolume(volume, { name, labels, belongings });
      await holders.use(name, (holder) =>
        docker.call("look into a volume", async (options) => {
          const answer = await holder.infoArchive({ ...options, path: HELD_VOLUME });
          // Unread, it would keep its connection for ever.
          (answer as NodeJS.ReadableStream).resume();
        }),
      );
      return true;
    } catch {
      return false;
    } finally {
      await belongings.remove().catch(() => {});
    }
  }

  /** Where it is. */
  async #make(
    { name, labels, belongings }: Place,
    driverOptions: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const { docker } = this.#options;
    belongings.addVolume(name);
    const wanted = { Name: name, Labels: labels, DriverOpts: driverOptions };
    await docker.call("make a volume", (options) =>
      docker.api.createVolume({ ...options, ...inBody(wanted) }),
    );
    const { Mountpoint: folder } = await docker.call("look at a volume", (options) =>
      docker.api.getVolume(name).inspect(options),
    );
    return folder;
  }
}
