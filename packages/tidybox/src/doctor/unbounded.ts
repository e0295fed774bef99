import { statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import type { LocalService } from "@tidybox/local";
import type { Finding } from "./report.ts";

const GIBIBYTE = 1024 ** 3;

/** What the engine does not keep sandboxes from, whatever limits they were given. */
export function unbounded(engine: LocalService["engine"]): readonly Finding[] {
  switch (engine) {
    case "docker":
      return [
        {
          name: "disk",
          state: "weaker",
          detail: "no quota: what sandboxes write fills the disk on which Docker keeps containers",
          remedy: "Put Docker's data-root on a file system of its own where it matters.",
        },
      ];
    case "bubblewrap":
      return [
        disk(),
        {
          name: "memory",
          state: "weaker",
          detail:
            "no cgroup: a sandbox beyond its memory limit is ended some tenths of a second later, and one without a limit may take all there is",
          remedy: "Give sandboxes a memory limit, or bound the whole run from outside.",
        },
      ];
    case "process":
      return [
        disk(),
        {
          name: "isolation",
          state: "weaker",
          detail:
            "none: sandboxes are plain processes that read this account's files, signal its processes and use its network",
          remedy: 'Use the engine "bubblewrap" or "docker" for code that you do not trust.',
        },
      ];
  }
}

function disk(): Finding {
  const folder = tmpdir();
  const { bavail, bsize } = statfsSync(folder);
  const free = ((bavail * bsize) / GIBIBYTE).toFixed(1);
  return {
    name: "disk",
    state: "weaker",
    detail: `no quota: sandboxes can fill the file system of ${folder} (${free} GiB free); volumes in memory have a size`,
    remedy: "Point TMPDIR to a file system of its own where it matters.",
  };
}
