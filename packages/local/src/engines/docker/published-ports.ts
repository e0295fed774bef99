import type { Container } from "dockerode";
import type { SandboxPlan } from "../engine.ts";
import type { DockerConnection } from "./docker-connection.ts";

/** Where Docker has published a running container's ports, on its machine's loopback. */
export async function publishedPorts(
  docker: DockerConnection,
  container: Container,
  { publish = [] }: SandboxPlan,
): Promise<ReadonlyMap<number, number>> {
  if (publish.length === 0) return new Map();
  const { NetworkSettings: network } = await docker.call(
    "say where the ports of a container are",
    (options) => container.inspect(options),
  );
  return new Map(
    publish.map((port) => {
      const found = Number(network.Ports[`${port}/tcp`]?.[0]?.HostPort);
      if (found > 0) return [port, found];
      throw new Error(
        `Docker has not published port ${port}: its network "bridge" is off, or somebody has changed it. Start the daemon with a bridge, or leave services out.`,
      );
    }),
  );
}
