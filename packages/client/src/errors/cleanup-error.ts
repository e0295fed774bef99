import { TidyboxError } from "./tidybox-error.ts";

/** One sandbox that may still be running. */
export interface CleanupFailure {
  /** Empty for a create whose outcome is not known. */
  readonly sandboxId: string;
  readonly tags: readonly string[];
  readonly error: Error;
}

/**
 * Sandboxes that could not be stopped, each with its reason; the others were. The message names the
 * command that stops them. Code `"cleanup_failed"`.
 */
export class CleanupError extends TidyboxError {
  readonly failures: readonly CleanupFailure[];

  constructor(failures: readonly CleanupFailure[]) {
    const count = failures.length === 1 ? "1 sandbox" : `${failures.length} sandboxes`;
    const lines = failures.map(({ sandboxId, error }) => {
      const firstLine = error.message.split("\n")[0] ?? "";
      return `  ${sandboxId === "" ? "(create under way)" : sandboxId}: ${firstLine}`;
    });
    super({
      code: "cleanup_failed",
      message: `${count} could not be stopped:\n${lines.join("\n")}`,
      advice: adviceFor(failures),
      sandboxId: failures.length === 1 ? failures[0]?.sandboxId : undefined,
      cause: failures[0]?.error,
    });
    this.failures = failures;
  }
}

/** The command that stops what is left: by the run where there is one, else by the tags in common. */
export function adviceFor(failures: readonly Pick<CleanupFailure, "tags">[]): string {
  const [first, ...rest] = failures.map(({ tags }) => tags);
  const common = (first ?? []).filter((tag) => rest.every((tags) => tags.includes(tag)));
  const run = common.find((tag) => tag.startsWith(RUN_TAG_PREFIX));
  if (run !== undefined)
    return `Stop them with \`npx tidybox reap --run ${run.slice(RUN_TAG_PREFIX.length)}\`.`;
  if (common.length === 0) {
    return "They end at their maximum lifetime at the latest; `Sandbox.delete(id)` ends one now.";
  }
  // Only a run's tag belongs to nobody else, hence the look first.
  const flags = common.map((tag) => `--tag ${tag}`).join(" ");
  return `\`npx tidybox list ${flags}\` shows all that carry these tags, \`npx tidybox reap ${flags}\` stops them.`;
}

const RUN_TAG_PREFIX = "tidybox-run-";
