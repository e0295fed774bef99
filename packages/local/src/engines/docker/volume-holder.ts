import type { Container } from "dockerode";
import { type DockerConnection, inBody } from "./docker-connection.ts";
import type { SandboxBelongings } from "./sandbox-belongings.ts";

/** Where a holder mounts its volume. */
export const HELD_VOLUME = "/volume";

export interface VolumeHolders {
  /** Does `work` with a container that mounts the volume writable at HELD_VOLUME and never runs. */
  use<T>(volume: string, work: (container: Container) => Promise<T>): Promise<T>;
}

export interface VolumeHoldersOptions {
  readonly docker: DockerConnection;
  /** As Docker knows it; nothing of it is executed. */
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly belongings: SandboxBelongings;
}

/** For volumes that a sandbox's own container mounts read-only, or does not mount at all. */
export function volumeHolders(options: VolumeHoldersOptions): VolumeHolders {
  const { docker, image, labels, belongings } = options;
  return {
    use: async (volume, work) => {
      belongings.addVolume(volume);
      const container = await docker.call("make a container for a volume", (call) =>
        docker.api.createContainer({
          ...call,
          ...inBody({
            Image: image,
            Entrypoint: ["never-started"],
            Cmd: [],
            Labels: { ...labels },
            HostConfig: {
              NetworkMode: "none",
              Mounts: [
                {
                  Type: "volume",
                  Source: volume,
                  Target: HELD_VOLUME,
                  VolumeOptions: {
                    NoCopy: true,
                    Labels: { ...labels },
                    DriverConfig: { Name: "local", Options: {} },
                  },
                },
              ],
            },
          }),
        }),
      );
      belongings.addContainer(container.id);
      try {
        return await work(container);
      } finally {
        // What fails here goes with the sandbox.
        await belongings.removeContainer(container.id).catch(() => {});
      }
    },
  };
}
