import type { Borrowed } from "../shared-snapshots.ts";
import type { DockerConnection } from "./docker-connection.ts";
import { removeContainer, removeVolume } from "./docker-leftovers.ts";

/** All that one sandbox has in Docker, so that it goes together. */
export class SandboxBelongings {
  readonly #docker: DockerConnection;
  /** Each with its removal, once that has begun. */
  readonly #containers = new Map<string, Promise<void> | undefined>();
  readonly #volumes = new Set<string>();
  readonly #borrowed: Borrowed<unknown>[] = [];

  constructor(docker: DockerConnection) {
    this.#docker = docker;
  }

  addContainer(id: string): void {
    this.#containers.set(id, undefined);
  }

  addVolume(name: string): void {
    this.#volumes.add(name);
  }

  hasVolume(name: string): boolean {
    return this.#volumes.has(name);
  }

  /** Given back once no volume needs it. */
  addBorrowed(borrowed: Borrowed<unknown>): void {
    this.#borrowed.push(borrowed);
  }

  /** Kills it if it runs. Whoever asks while it is being removed waits for the same. */
  removeContainer(id: string): Promise<void> {
    const running = this.#containers.get(id);
    if (running !== undefined) return running;
    const removal = removeContainer(this.#docker, id).then(
      () => void this.#containers.delete(id),
      (error: unknown) => {
        this.#containers.set(id, undefined);
        throw error;
      },
    );
    this.#containers.set(id, removal);
    return removal;
  }

  /** Containers first: Docker keeps a volume that one of them mounts. */
  async remove(): Promise<void> {
    await Promise.all([...this.#containers.keys()].map((id) => this.removeContainer(id)));
    await Promise.all([...this.#volumes].map((name) => removeVolume(this.#docker, name)));
    this.#volumes.clear();
    for (const borrowed of this.#borrowed.splice(0)) borrowed.release();
  }
}
