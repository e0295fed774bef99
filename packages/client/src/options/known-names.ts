import { invalidOption } from "./invalid-option.ts";
import type { SandboxOptions } from "./sandbox-options.ts";

const KNOWN: Readonly<Record<keyof SandboxOptions, true>> = {
  containerImage: true,
  command: true,
  environment: true,
  workingDirectory: true,
  files: true,
  resources: true,
  volumes: true,
  services: true,
  network: true,
  secrets: true,
  maxLifetimeSeconds: true,
  tags: true,
  annotations: true,
  objectStorageAccess: true,
  securityContext: true,
  imagePullCredentials: true,
  containers: true,
  initContainers: true,
  primaryContainer: true,
  networkIds: true,
  runnerIds: true,
  instanceType: true,
  mode: true,
  runtimeClass: true,
};

/** What people write who know other SDKs, or the wire. */
const MEANT: Readonly<Record<string, keyof SandboxOptions>> = {
  image: "containerImage",
  env: "environment",
  environmentVariables: "environment",
  cwd: "workingDirectory",
  workingDir: "workingDirectory",
  mountedFiles: "files",
  timeoutSeconds: "maxLifetimeSeconds",
  maxTimeoutSeconds: "maxLifetimeSeconds",
  ports: "services",
  exposedPorts: "services",
  egressMode: "network",
  ingressMode: "network",
  s3Mount: "objectStorageAccess",
};

/** What only the fixtures of a test runner can do: it takes a run. */
const OF_FIXTURES: readonly string[] = ["prepare", "prepareKey", "prepareTimeoutSeconds"];

/** @throws ConfigurationError for a name that would be passed over in silence */
export function checkNames(options: SandboxOptions): void {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const unknown = given.map(([name]) => name).find((name) => !Object.hasOwn(KNOWN, name));
  if (unknown === undefined) return;
  if (OF_FIXTURES.includes(unknown)) {
    throw invalidOption(
      unknown,
      "is an option of the fixtures of @tidybox/vitest and @tidybox/jest only",
      "Prepare the sandbox after it was made, or take a snapshot and begin with it: volumes[].scratch.restoreFromSnapshotId.",
    );
  }
  const meant = Object.hasOwn(MEANT, unknown) ? MEANT[unknown] : undefined;
  throw invalidOption(
    unknown,
    "is not an option of a sandbox",
    meant === undefined ? `Known are: ${Object.keys(KNOWN).join(", ")}.` : `Use ${meant}.`,
  );
}
