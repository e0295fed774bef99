import type { SandboxOptions } from "./sandbox-options.ts";

/**
 * One set of options out of several: what a later one sets wins, `environment` and `annotations` key
 * by key; `tags` add up, each once. An option that is set to undefined changes nothing.
 */
export function mergeSandboxOptions(
  ...options: readonly (SandboxOptions | undefined)[]
): SandboxOptions {
  let merged: SandboxOptions = {};
  for (const each of options) {
    if (each === undefined) continue;
    const set = Object.fromEntries(Object.entries(each).filter(([, value]) => value !== undefined));
    merged = {
      ...merged,
      ...set,
      ...both(merged, each, "environment"),
      ...both(merged, each, "annotations"),
      ...(each.tags === undefined ? {} : { tags: addTags(merged.tags, each.tags) }),
    };
  }
  return merged;
}

function both(
  earlier: SandboxOptions,
  later: SandboxOptions,
  name: "environment" | "annotations",
): SandboxOptions {
  return later[name] === undefined ? {} : { [name]: { ...earlier[name], ...later[name] } };
}

function addTags(
  earlier: readonly string[] | undefined,
  later: readonly string[],
): readonly string[] {
  // Something else than a list is for the check to refuse, not for us to take apart.
  return Array.isArray(later) ? [...new Set([...(earlier ?? []), ...later])] : later;
}
