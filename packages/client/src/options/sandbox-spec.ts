import { create } from "@bufbuild/protobuf";
import {
  DEFAULT_IMAGE,
  KEEP_ALIVE_COMMAND,
  MAIN_CONTAINER_NAME,
  MAX_ANNOTATIONS,
  MAX_LIFETIME_SECONDS,
  MAX_RUNNER_IDS,
  MAX_RUNNER_IDS_BYTES,
  MAX_SECRETS,
  SandboxMode,
  type SandboxSpec,
  SandboxSpecSchema,
} from "@tidybox/protocol";
import { checkInteger, checkText, checkTextMap, checkUnique } from "./checks.ts";
import { toContainer } from "./container-spec.ts";
import { invalidOption } from "./invalid-option.ts";
import { toNetwork, toServices } from "./network-spec.ts";
import type { SandboxOptions } from "./sandbox-options.ts";
import { mountsOf, toObjectStorage, toVolumes } from "./storage-spec.ts";
import { checkTags } from "./tags.ts";
import { checkNames } from "./known-names.ts";

/**
 * Options as the service takes them, checked by what both official SDKs and the service document
 * (reference 6.1), so that a mistake is one clear error before anything is made.
 *
 * @throws ConfigurationError that names the option
 */
export function toSandboxSpec(options: SandboxOptions): SandboxSpec {
  checkNames(options);
  const {
    tags = [],
    annotations = {},
    volumes = [],
    maxLifetimeSeconds = 0,
    runnerIds = [],
  } = options;
  checkTags(tags);
  checkAnnotations(annotations);
  checkInteger(maxLifetimeSeconds, "maxLifetimeSeconds", 0, MAX_LIFETIME_SECONDS);
  checkRunnerIds(runnerIds, options.mode);
  const spec = create(SandboxSpecSchema, {
    ...toContainers(options),
    volumes: toVolumes(volumes),
    services: toServices(options.services ?? []),
    maxLifetimeSeconds,
    tags: [...new Set(tags)],
    annotations: { ...annotations },
    networkIds: [...(options.networkIds ?? [])],
    runnerIds: [...runnerIds],
    instanceType: options.instanceType ?? "",
    runtimeClass: options.runtimeClass ?? "",
    mode: toMode(options),
  });
  // Left out where nothing is said: an empty message means the same, but is a different request.
  if (options.network !== undefined) spec.network = toNetwork(options.network);
  if (options.objectStorageAccess !== undefined) {
    spec.objectStorageAccess = toObjectStorage(options.objectStorageAccess);
  }
  return spec;
}

function toContainers(options: SandboxOptions) {
  const { containers = [], initContainers = [], volumes = [], primaryContainer } = options;
  const main = toContainer(
    {
      name: MAIN_CONTAINER_NAME,
      image: options.containerImage ?? DEFAULT_IMAGE,
      command: options.command ?? KEEP_ALIVE_COMMAND,
      environment: options.environment,
      workingDirectory: options.workingDirectory,
      files: options.files,
      resources: options.resources,
      secrets: options.secrets,
      volumeMounts: mountsOf(volumes, Object.keys(options.files ?? {})),
      securityContext: options.securityContext,
      imagePullCredentials: options.imagePullCredentials,
    },
    "",
  );
  const all = [
    main,
    ...containers.map((each, index) => toContainer(each, `containers[${index}].`)),
  ];
  const first = initContainers.map((each, index) => toContainer(each, `initContainers[${index}].`));
  checkUnique(
    [...all, ...first].map(({ name }) => name),
    "containers (names)",
  );
  if (primaryContainer !== undefined && !all.some(({ name }) => name === primaryContainer)) {
    throw invalidOption(
      "primaryContainer",
      `must be main or one of option containers, not ${JSON.stringify(primaryContainer)}`,
    );
  }
  const secrets = [...all, ...first].flatMap(({ secretStores }) =>
    secretStores.flatMap((store) => store.secrets),
  );
  if (secrets.length > MAX_SECRETS) {
    throw invalidOption(
      "secrets",
      `has ${secrets.length} references, at most ${MAX_SECRETS} are allowed`,
    );
  }
  return {
    containers: all,
    initContainers: first,
    primaryContainer: primaryContainer ?? MAIN_CONTAINER_NAME,
  };
}

function toMode({ mode, runnerIds = [] }: SandboxOptions): SandboxMode {
  if (mode === "cks" || (mode === undefined && runnerIds.length > 0)) return SandboxMode.CKS;
  return mode === undefined ? SandboxMode.UNSPECIFIED : SandboxMode.SERVERLESS;
}

function checkAnnotations(annotations: Readonly<Record<string, string>>): void {
  checkTextMap(annotations, "annotations");
  const entries = Object.entries(annotations);
  if (entries.length > MAX_ANNOTATIONS) {
    throw invalidOption(
      "annotations",
      `has ${entries.length} entries, at most ${MAX_ANNOTATIONS} are allowed`,
    );
  }
  const empty = entries.find(([, value]) => value === "");
  if (empty !== undefined) throw invalidOption(`annotations.${empty[0]}`, "must not be empty");
}

function checkRunnerIds(runnerIds: readonly string[], mode: SandboxOptions["mode"]): void {
  if (mode !== undefined && mode !== "serverless" && mode !== "cks") {
    throw invalidOption("mode", `must be "serverless" or "cks", not ${JSON.stringify(mode)}`);
  }
  if (runnerIds.length === 0) return;
  if (mode === "serverless") throw invalidOption("runnerIds", 'needs mode "cks"');
  for (const [index, id] of runnerIds.entries()) checkText(id, `runnerIds[${index}]`);
  checkUnique(runnerIds, "runnerIds");
  const bytes = runnerIds.reduce((sum, id) => sum + Buffer.byteLength(id), 0);
  if (runnerIds.length > MAX_RUNNER_IDS || bytes > MAX_RUNNER_IDS_BYTES) {
    throw invalidOption(
      "runnerIds",
      `must be at most ${MAX_RUNNER_IDS}, with ${MAX_RUNNER_IDS_BYTES} bytes in all`,
    );
  }
}
