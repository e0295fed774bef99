import {
  type Container,
  MAX_ANNOTATIONS,
  MAX_LIFETIME_SECONDS,
  MAX_RUNNER_IDS,
  MAX_RUNNER_IDS_BYTES,
  MAX_SECRETS,
  MAX_TAG_LENGTH,
  type SandboxSpec,
  SandboxMode,
  SandboxModeSchema,
  TAG_PATTERN,
} from "@tidybox/protocol";
import { resourceViolations } from "./containers/resources.ts";
import type { Check, Violation } from "./failures.ts";
import { validateNetwork } from "./network/validate-network.ts";
import { checkSecurity } from "./validate-security.ts";
import { checkMounts, checkObjectStorage, checkVolumes } from "./validate-storage.ts";

/** An environment variable's name on any system: C strings, and `=` ends a name. */
const ENVIRONMENT_NAME = /^[^=\0]+$/;

/** All that the service would call invalid in a spec (reference 6.1, the "server" column). */
export function validateSpec(spec: SandboxSpec): readonly Violation[] {
  const found: Violation[] = [];
  const check = (valid: boolean, field: string, description: string): void => {
    if (!valid) found.push({ field: `sandbox.spec.${field}`, description });
  };
  checkContainers(spec, check);
  checkTags(spec.tags, check);
  checkVolumes(spec, check);
  checkObjectStorage(spec.objectStorageAccess, check);
  check(spec.mode in SandboxModeSchema.value, "mode", `is unknown: ${spec.mode}`);
  check(
    spec.maxLifetimeSeconds >= 0 && spec.maxLifetimeSeconds <= MAX_LIFETIME_SECONDS,
    "max_lifetime_seconds",
    `must be between 0 (the default) and ${MAX_LIFETIME_SECONDS} (30 days)`,
  );
  check(
    Object.keys(spec.annotations).length <= MAX_ANNOTATIONS,
    "annotations",
    `must have at most ${MAX_ANNOTATIONS} entries`,
  );
  check(!("" in spec.annotations), "annotations", "must not have an empty key");
  checkRunnerIds(spec, check);
  validateNetwork(spec, check);
  return found;
}

function checkContainers(spec: SandboxSpec, check: Check): void {
  const names = [...spec.containers, ...spec.initContainers].map(({ name }) => name);
  check(spec.containers.length > 0, "containers", "must have at least one container");
  check(new Set(names).size === names.length, "containers", "must have unique names");
  if (spec.primaryContainer === "") {
    check(
      spec.containers.length <= 1,
      "primary_container",
      "must be named when there are several containers",
    );
  } else {
    const known = spec.containers.some(({ name }) => name === spec.primaryContainer);
    check(
      known,
      "primary_container",
      `names no container: ${JSON.stringify(spec.primaryContainer)}`,
    );
  }
  const secrets = [...spec.containers, ...spec.initContainers].flatMap(({ secretStores }) =>
    secretStores.flatMap((store) => store.secrets),
  );
  check(
    secrets.length <= MAX_SECRETS,
    "containers",
    `must refer to at most ${MAX_SECRETS} secrets`,
  );
  for (const [index, container] of spec.containers.entries()) {
    checkContainer(container, spec, (valid, field, description) =>
      check(valid, `containers[${index}].${field}`, description),
    );
  }
  for (const [index, container] of spec.initContainers.entries()) {
    checkContainer(container, spec, (valid, field, description) =>
      check(valid, `init_containers[${index}].${field}`, description),
    );
  }
}

function checkContainer(container: Container, spec: SandboxSpec, check: Check): void {
  check(container.name !== "", "name", "must not be empty");
  check(container.image.trim() !== "", "image", "must not be empty");
  check(
    container.command !== "" || container.args.length === 0,
    "args",
    "must be empty without a command",
  );
  check(
    ![container.command, ...container.args].some((word) => word.includes("\0")),
    "command",
    "must not contain a NUL character",
  );
  for (const [name, value] of Object.entries(container.environmentVariables)) {
    check(
      ENVIRONMENT_NAME.test(name) && !value.includes("\0"),
      "environment_variables",
      `must have non-empty names without "=" and no NUL: ${JSON.stringify(name)}`,
    );
  }
  check(
    container.workingDir === "" || container.workingDir.startsWith("/"),
    "working_dir",
    "must be absolute",
  );
  check(
    !(container.resources !== undefined && container.resourceRequirements !== undefined),
    "resources",
    "must not be set together with resource_requirements",
  );
  for (const { field, description } of resourceViolations(container))
    check(false, field, description);
  checkSecurity(container, check);
  checkFiles(container, check);
  checkMounts(container, spec, check);
}

function checkFiles(container: Container, check: Check): void {
  const paths = new Set<string>();
  for (const [index, { path }] of container.files.entries()) {
    const field = `files[${index}].path`;
    const last = path.slice(path.lastIndexOf("/") + 1);
    check(
      path.startsWith("/") && !["", ".", ".."].includes(last),
      field,
      "must be an absolute path with a file name",
    );
    check(
      !path.split("/").includes("..") && !path.includes("\0"),
      field,
      'must not contain ".." or NUL',
    );
    check(!paths.has(path), field, `must be unique: ${path}`);
    paths.add(path);
  }
}

function checkTags(tags: readonly string[], check: Check): void {
  check(new Set(tags).size === tags.length, "tags", "must be unique");
  for (const [index, tag] of tags.entries()) {
    check(
      tag.length <= MAX_TAG_LENGTH && TAG_PATTERN.test(tag),
      `tags[${index}]`,
      `must be 1 to ${MAX_TAG_LENGTH} characters of A-Z a-z 0-9 . _ - ending in a letter or digit: ${JSON.stringify(tag)}`,
    );
  }
}

function checkRunnerIds(spec: SandboxSpec, check: Check): void {
  const { runnerIds } = spec;
  check(
    runnerIds.length <= MAX_RUNNER_IDS,
    "runner_ids",
    `must have at most ${MAX_RUNNER_IDS} entries`,
  );
  const bytes = runnerIds.reduce((sum, id) => sum + Buffer.byteLength(id), 0);
  check(bytes <= MAX_RUNNER_IDS_BYTES, "runner_ids", "must have at most 64 KiB in all");
  check(
    runnerIds.every((id) => id.trim() !== ""),
    "runner_ids",
    "must not have blank entries",
  );
  check(new Set(runnerIds).size === runnerIds.length, "runner_ids", "must be unique");
  check(
    runnerIds.length === 0 || spec.mode === SandboxMode.CKS,
    "runner_ids",
    "may only be set with mode CKS",
  );
}
