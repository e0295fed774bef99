import type { DockerConnection } from "./docker-connection.ts";
import { removeContainer, removeVolume } from "./docker-leftovers.ts";

/** All that one sandbox has in Docker, so that it goes together. */
export class SandboxBelongings {
  readonly #docker: DockerConnection;
  readonly #containers = new Set<string>();
  readonly #volumes = new Set<string>();

  constructor(docker: DockerConnection) {
    this.#docker = docker;
  }

  addContainer(id: string): void {
    this.#containers.add(id);
  }

  addVolume(name: string): void {
    this.#volumes.add(name);
  }

  async removeContainer(id: string): Promise<void> {
    await removeContainer(this.#docker, id);
    this.#containers.delete(id);
  }

  /** Containers first: Docker keeps a volume that one of them mounts. */
  async remove(): Promise<void> {
    await Promise.all([...this.#containers].map((id) => this.removeContainer(id)));
    await Promise.all([...this.#volumes].map((name) => removeVolume(this.#docker, name)));
    this.#volumes.clear();
  }
}
