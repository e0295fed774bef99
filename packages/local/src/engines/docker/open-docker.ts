import type { NoticeListener } from "../../notice.ts";
import type { DockerConnection } from "./docker-connection.ts";
import { DockerEngine } from "./docker-engine.ts";
import { removeDockerLeftovers } from "./docker-leftovers.ts";

export interface OpenDockerOptions {
  readonly docker: DockerConnection;
  readonly stateFolder: string;
  readonly images: Readonly<Record<string, string>>;
  readonly onNotice: NoticeListener;
}

/** Throws LocalServiceError when no daemon answers. Removes what dead services have left in it. */
export async function openDocker(options: OpenDockerOptions): Promise<DockerEngine> {
  const { cpus, hasBridge } = await options.docker.check();
  if (!hasBridge) {
    const message =
      'this Docker has no network "bridge" (the daemon was told so): its sandboxes reach nothing, where egress is allowed too, and cannot have services.';
    options.onNotice({ code: "engine_weaker", message });
  }
  const problems = await removeDockerLeftovers(options.docker).catch((error: unknown) => [
    String(error),
  ]);
  for (const problem of problems) {
    const message = `something is left over in Docker from a service that is gone, and could not be removed: ${problem}`;
    options.onNotice({ code: "leftover_not_removed", message });
  }
  const publishesPorts = hasBridge && options.docker.isLocal;
  return new DockerEngine({ ...options, cpus, publishesPorts });
}
