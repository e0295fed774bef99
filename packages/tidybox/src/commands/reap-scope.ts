import { CI_VARIABLES, ciTag, detectCi, runTag } from "@tidybox/fixtures";
import { wantedTags } from "../backends.ts";

/** What is to be reaped. */
export interface ReapScope {
  readonly tag?: readonly string[];
  readonly run?: string;
  readonly ci?: boolean;
  readonly lost?: boolean;
  readonly prepared?: boolean;
}

/**
 * The tags that all must be on a sandbox for it to be touched; none with `--lost`, whose records say
 * which, and with `--prepared`, which is about no sandbox.
 *
 * @param refuse ends the command as wrongly used
 */
export function scopeTags(scope: ReapScope, refuse: (problem: string) => never): readonly string[] {
  const { ci = false, lost = false, prepared = false } = scope;
  const tags = wantedTags(scope, runTag);
  if (lost) {
    if (prepared || ci || tags.length > 0)
      refuse(
        "--lost finds its runs by their records: leave --run, --tag, --ci and --prepared out.",
      );
    return [];
  }
  if (prepared) {
    if (ci || tags.length > 0)
      refuse(
        "--prepared removes snapshots, which have no tags: leave --run, --tag, --ci and --lost out.",
      );
    return [];
  }
  if (ci) return [...tags, pipelineTag(refuse)];
  if (tags.length === 0) {
    refuse(
      "say what to reap: --run <id>, --tag <tag>, --ci, --lost or --prepared. Without one it would stop everything.",
    );
  }
  return tags;
}

function pipelineTag(refuse: (problem: string) => never): string {
  const pipeline = detectCi();
  if (pipeline !== undefined) return ciTag(pipeline);
  return refuse(
    "--ci finds no pipeline in the environment, so there is no tag to reap by. " +
      `It reads ${CI_VARIABLES.join(", ")}, in the CI that sets them. Elsewhere name the sandboxes with --run or --tag.`,
  );
}
