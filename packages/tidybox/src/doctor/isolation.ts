import type { LocalService } from "@tidybox/local";
import type { Finding } from "./report.ts";

/** What an engine does not keep its sandboxes from at all. */
export function isolationFindings(engine: LocalService["engine"]): readonly Finding[] {
  if (engine !== "process") return [];
  return [
    {
      name: "isolation",
      state: "weaker",
      detail:
        "none: sandboxes are plain processes that read this account's files, signal its processes and use its network",
      remedy: 'Use the engine "bubblewrap" or "docker" for code that you do not trust.',
    },
  ];
}
