import type { Readable } from "node:stream";
import { type DockerConnection, DockerCallError } from "./docker-connection.ts";

const PULL_SECONDS = 300;

const NOT_THERE = 404;

/** Makes images be there. Two sandboxes that want the same one wait for one pull. */
export class DockerImages {
  readonly #docker: DockerConnection;
  readonly #pulls = new Map<string, Promise<void>>();

  constructor(docker: DockerConnection) {
    this.#docker = docker;
  }

  /** Does `work`, which needs the image; pulls it and does it again when that is all that is missing. */
  async with<T>(image: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const missing =
        error instanceof DockerCallError &&
        error.status === NOT_THERE &&
        /no such image/i.test(error.message);
      if (!missing) throw error;
    }
    await this.#pull(image);
    return work();
  }

  #pull(image: string): Promise<void> {
    const running = this.#pulls.get(image);
    if (running !== undefined) return running;
    const pull = this.#pullOnce(image).finally(() => this.#pulls.delete(image));
    this.#pulls.set(image, pull);
    return pull;
  }

  async #pullOnce(image: string): Promise<void> {
    const { api } = this.#docker;
    await this.#docker.call(
      `find or pull the image ${JSON.stringify(image)}`,
      async (options) => {
        const progress = (await api.pull(tagged(image), options)) as NodeJS.ReadableStream;
        await new Promise<void>((resolve, reject) => {
          options.abortSignal.addEventListener("abort", () => {
            (progress as Readable).destroy();
            reject(new Error("too late"));
          });
          api.modem.followProgress(progress, (error) =>
            error === null || error === undefined ? resolve() : reject(error),
          );
        });
      },
      PULL_SECONDS,
    );
  }
}

/** Docker takes a name without a tag for all of its tags. */
export function tagged(image: string): string {
  const name = image.slice(image.lastIndexOf("/") + 1);
  return name.includes(":") || name.includes("@") ? image : `${image}:latest`;
}
