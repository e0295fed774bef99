import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { JestProject } from "../support/jest-project.ts";
import { processesWith, serviceFolders, until } from "../support/observer.ts";

/** What runs leave for their workers: `<run>.handover`, for this account alone. */
export function handoverFiles({ temp }: JestProject): readonly string[] {
  const folder = join(temp, "state/tidybox/runs");
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith(".handover"))
      .map((name) => join(folder, name));
  } catch {
    return [];
  }
}

/**
 * Waits until nothing of the project's runs is there: no process (a sandbox of the local backend is
 * some), no folder of a service, no handover file. @throws with what is left after 15 s
 */
export async function nothingLeft(
  project: JestProject,
  options: { readonly exceptHandover?: boolean } = {},
): Promise<void> {
  await until(
    "what Jest's runs have left",
    15,
    () => ({
      processes: processesWith(project.temp),
      folders: serviceFolders(project),
      handovers: options.exceptHandover === true ? [] : handoverFiles(project),
    }),
    (left) => Object.values(left).every(({ length }) => length === 0),
  );
}
