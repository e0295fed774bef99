import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { packAll } from "../packaging/pack.ts";
import { type Bed, installBed, wantedVersions } from "./bed.ts";
import type {} from "./jest-project.ts";

declare module "vitest" {
  interface ProvidedContext {
    readonly beds: readonly Bed[];
  }
}

/**
 * Installs the packed packages outside the workspace, once for each supported Vitest: the system
 * tests run what users install, not what stands in `packages/`.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const root = await mkdtemp(join(tmpdir(), "tidybox-beds-"));
  const teardown = () => rm(root, { recursive: true, force: true, maxRetries: 3 });
  try {
    const tarballs = await packAll();
    project.provide("packed", { root, tarballs });
    const beds: Bed[] = [];
    // One after the other: npm's installs share its cache and two cores.
    for (const version of wantedVersions()) beds.push(await installBed(root, version, tarballs));
    project.provide("beds", beds);
  } catch (error) {
    await teardown();
    throw error;
  }
  return teardown;
}
