import type { Container } from "dockerode";
import type { DockerConnection } from "./docker-connection.ts";
import { HAS_RUN_OUT_OF_MEMORY, shell } from "./shell-scripts.ts";

const LOOKS = 20;
const LOOK_MILLISECONDS = 25;

/**
 * Whether the kernel has killed a process of this container for its memory limit. Docker itself tells
 * so only of the container's first process, and there it is never the one that is killed.
 */
export async function ranOutOfMemory(
  docker: DockerConnection,
  container: Container,
): Promise<boolean> {
  try {
    const exec = await docker.call("prepare a look at the memory of a container", (options) =>
      container.exec({ ...options, Cmd: [...shell(HAS_RUN_OUT_OF_MEMORY)] }),
    );
    await docker.call("look at the memory of a container", async (options) => {
      const answer = await exec.start({ ...options, Detach: true });
      answer.resume();
    });
    for (let look = 0; look < LOOKS; look += 1) {
      const { Running: running, ExitCode: code } = await docker.call(
        "say what a look at the memory has found",
        (options) => exec.inspect(options),
      );
      if (!running && code !== null) return code === 0;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MILLISECONDS));
    }
  } catch {
    // It ends, or Docker is gone: then that is what is told.
  }
  return false;
}
