import type { DockerConnection } from "./docker-connection.ts";
import { isLeftOver, OWNER_LABEL, SERVICE_LABEL } from "./owner-label.ts";

type Labels = Readonly<Record<string, string>> | undefined;

/**
 * Removes the containers and volumes of services whose process is gone. Returns what could not be
 * removed, in words.
 */
export function removeDockerLeftovers(docker: DockerConnection): Promise<readonly string[]> {
  return removeLabelled(docker, OWNER_LABEL, isLeftOver);
}

/** What the start or the stop of a sandbox has left. */
export function removeAllOf(docker: DockerConnection, service: string): Promise<readonly string[]> {
  return removeLabelled(docker, `${SERVICE_LABEL}=${service}`, () => true);
}

async function removeLabelled(
  docker: DockerConnection,
  label: string,
  chosen: (labels: Labels) => boolean,
): Promise<readonly string[]> {
  const filters = { label: [label] };
  const problems: string[] = [];
  const attempt = (work: Promise<void>): Promise<void> =>
    work.catch((error: unknown) => void problems.push(String(error)));
  const containers = await docker.call("list containers", (options) =>
    docker.api.listContainers({ ...options, all: true, filters }),
  );
  await Promise.all(
    containers
      .filter(({ Labels: labels }) => chosen(labels))
      .map(({ Id: id }) => attempt(removeContainer(docker, id))),
  );
  const { Volumes: volumes } = await docker.call("list volumes", (options) =>
    docker.api.listVolumes({ ...options, filters }),
  );
  // Docker says null when there is none.
  await Promise.all(
    ((volumes as typeof volumes | null) ?? [])
      .filter(({ Labels: labels }) => chosen(labels))
      .map(({ Name: name }) => attempt(removeVolume(docker, name))),
  );
  return problems;
}

export async function removeContainer(docker: DockerConnection, id: string): Promise<void> {
  await unlessGone(
    docker.call("remove a container", (options) =>
      docker.api.getContainer(id).remove({ ...options, force: true, v: true }),
    ),
  );
}

export async function removeVolume(docker: DockerConnection, name: string): Promise<void> {
  await unlessGone(
    docker.call("remove a volume", (options) =>
      docker.api.getVolume(name).remove({ ...options, force: true }),
    ),
  );
}

/** 404: it is gone. 409: somebody else is removing it at this moment. */
async function unlessGone(removal: Promise<unknown>): Promise<void> {
  await removal.catch((error: unknown) => {
    const status: unknown = error instanceof Error ? Reflect.get(error, "status") : undefined;
    const inProgress = error instanceof Error && error.message.includes("already in progress");
    if (status !== 404 && !(status === 409 && inProgress)) throw error;
  });
}
