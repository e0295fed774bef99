import type { Container } from "@tidybox/protocol";
import type { Engine, SandboxPlan } from "../engines/engine.ts";
import type { StartMain } from "./containers/container.ts";
import { isKeepAlive, KeepAlive } from "./keep-alive.ts";
import { MainProcess } from "./main-process.ts";

export interface Programs {
  readonly engine: Pick<Engine, "name">;
  /** Images that have a root directory of their own. */
  readonly mappedImages: ReadonlySet<string>;
}

/** What starts the main process of a container; undefined where it has none. */
export function starterOfMain(
  container: Container,
  { image, environment }: SandboxPlan,
  { engine, mappedImages }: Programs,
): StartMain {
  if (container.command === "") return undefined;
  const argv = [container.command, ...container.args];
  // An image of its own may have no shell, or no `sleep`: then the keep-alive must fail.
  const hasOwnPrograms = engine.name === "docker" || mappedImages.has(image);
  const standsIn = isKeepAlive(argv, environment) && !hasOwnPrograms;
  return standsIn
    ? () => Promise.resolve(new KeepAlive())
    : (sandbox, log) => MainProcess.start(sandbox, argv, log);
}
