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
  /** Of the run, by what stands in their environment, and of its sandboxes. */
  readonly processes: readonly ProcessInfo[];
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
    processes: [...processesWith(run.mark), ...processesWith(`sleep\0${run.sleepSeconds}`)],
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

export function countRemains({ sandboxIds, processes, folders, mounts }: Remains): number {
  return sandboxIds.length + processes.length + folders.length + mounts.length;
}

/** For a person; one line each. */
export function describeRemains(remains: Remains): readonly string[] {
  return [
    ...remains.sandboxIds.map((id) => `sandbox ${id} is active`),
    ...remains.processes.map(({ pid, command }) => `process ${pid}: ${command.slice(0, 80)}`),
    ...remains.folders.map((folder) => `temporary folder ${folder}`),
    ...remains.mounts.map((mount) => `mount ${mount}`),
  ];
}
