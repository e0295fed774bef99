import { readFileSync } from "node:fs";
import { type Connection, Sandbox } from "@tidybox/client";
import { runTag } from "@tidybox/fixtures";
import type { Project } from "../support/bed.ts";
import {
  type ProcessInfo,
  listFromOutside,
  processesWith,
  serviceFolders,
} from "../support/observer.ts";

/** What of a run is there now, seen from outside. */
export interface Remains {
  /** Active under the run's tag, as the service itself says. */
  readonly sandboxIds: readonly string[];
  /** Of the run: runner, workers, coordinator, by what stands in their environment. */
  readonly processes: readonly ProcessInfo[];
  /** Of what its sandboxes run. */
  readonly sandboxProcesses: readonly ProcessInfo[];
  readonly folders: readonly string[];
  readonly mounts: readonly string[];
}

export interface Observed {
  readonly project: Project;
  readonly runId: string;
  readonly mark: string;
  readonly sleepSeconds: number;
  /** To the service that stands in for the remote one; undefined where it is the run's own. */
  readonly connection: Connection | undefined;
}

export async function lookAround(run: Observed): Promise<Remains> {
  return {
    sandboxIds: await activeSandboxes(run),
    processes: processesWith(run.mark),
    sandboxProcesses: processesWith(`sleep\0${run.sleepSeconds}`),
    folders: serviceFolders(run.project),
    mounts: readFileSync("/proc/mounts", "utf8")
      .split("\n")
      .filter((line) => line.includes(run.project.temp)),
  };
}

export async function activeSandboxes(run: Observed): Promise<readonly string[]> {
  const tag = runTag(run.runId);
  if (run.connection !== undefined) {
    const all = await Sandbox.list({ tags: [tag], connection: run.connection }).toArray();
    return all.map(({ id }) => id);
  }
  // Of an embedded service nothing else can be left than what its folder tells of.
  if (serviceFolders(run.project).length === 0) return [];
  const all = await listFromOutside(run.project.bed, ["--tag", tag], {
    TMPDIR: run.project.temp,
  }).catch(() => []);
  return all.map(({ id }) => id);
}

export function hasSandboxes({ sandboxIds, sandboxProcesses }: Remains): boolean {
  return sandboxIds.length + sandboxProcesses.length > 0;
}

export function countRemains(remains: Remains): number {
  return Object.values(remains).reduce((sum, things) => sum + things.length, 0);
}

/** For a person; one line each. */
export function describeRemains(remains: Remains): readonly string[] {
  const { sandboxIds, processes, sandboxProcesses, folders, mounts } = remains;
  return [
    ...sandboxIds.map((id) => `sandbox ${id} is active`),
    ...[...processes, ...sandboxProcesses].map(
      ({ pid, command }) => `process ${pid}: ${command.slice(0, 80)}`,
    ),
    ...folders.map((folder) => `temporary folder ${folder}`),
    ...mounts.map((mount) => `mount ${mount}`),
  ];
}
