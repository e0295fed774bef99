import { join } from "node:path";
import { type Bed, installInto } from "./bed.ts";

export const SUPPORTED_JEST_VERSIONS = ["29.7", "30"] as const;

/** `TIDYBOX_TEST_JEST=30` narrows it down. */
export function wantedJestVersions(): readonly string[] {
  const asked = process.env["TIDYBOX_TEST_JEST"];
  if (asked === undefined || asked === "") return SUPPORTED_JEST_VERSIONS;
  return asked.split(",").map((version) => version.trim());
}

/** As `installBed`, with one Jest; without tarballs a bare one. */
export async function installJestBed(
  root: string,
  version: string,
  tarballs: Readonly<Record<string, string>> = {},
): Promise<Bed> {
  const directory = join(root, `jest-${version}`);
  await installInto(directory, {
    jest: version.includes(".") ? `~${version}.0` : `^${version}.0.0`,
    ...Object.fromEntries(
      Object.entries(tarballs)
        // It would bring its Vitest along.
        .filter(([name]) => name !== "@tidybox/vitest")
        .map(([name, path]) => [name, `file:${path}`]),
    ),
  });
  return { framework: "jest", version, directory, node: process.execPath };
}
