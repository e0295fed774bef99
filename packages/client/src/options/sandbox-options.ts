import type { ContainerOptions, SecurityOptions } from "./container-options.ts";
import type { NetworkOptions, ServiceOptions } from "./network-options.ts";
import type { ResourceOptions } from "./resource-options.ts";
import type { ObjectStorageOptions, VolumeOptions } from "./storage-options.ts";
import type { ImagePullCredentials, SecretOptions } from "./secret-options.ts";

/**
 * What a sandbox is made of. Whatever is left out is up to the service. Options about containers
 * are those of its one main container, `main`, unless {@link SandboxOptions.containers} adds others.
 */
export interface SandboxOptions {
  /** OCI reference. Default `python:3.11`. */
  readonly containerImage?: string | undefined;
  /** Main process, program first. Default: one that waits for commands and ends when it is told. */
  readonly command?: readonly string[] | undefined;
  /** Variables of the container; commands see them too. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /** Absolute path. Default: the image's. */
  readonly workingDirectory?: string | undefined;
  /** Content by absolute path, there before the main process starts. Text is written as UTF-8. */
  readonly files?: Readonly<Record<string, string | Uint8Array>> | undefined;
  readonly resources?: ResourceOptions | undefined;
  readonly volumes?: readonly VolumeOptions[] | undefined;
  /** Ports that listen. */
  readonly services?: readonly ServiceOptions[] | undefined;
  readonly network?: NetworkOptions | undefined;
  /** References to secret stores of the service; values never pass through this client. At most 50. */
  readonly secrets?: readonly SecretOptions[] | undefined;
  /** The service ends the sandbox after that. Whole seconds, at most 30 days; 0: its own default. */
  readonly maxLifetimeSeconds?: number | undefined;
  /** Each at most 59 of `A-Za-z0-9._-`, a letter or digit last. Listings and purges go by them. */
  readonly tags?: readonly string[] | undefined;
  /** For people. At most 100, none empty. */
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly objectStorageAccess?: ObjectStorageOptions | undefined;
  readonly securityContext?: SecurityOptions | undefined;
  readonly imagePullCredentials?: ImagePullCredentials | undefined;
  /** Containers beside `main`. */
  readonly containers?: readonly ContainerOptions[] | undefined;
  /** Run to completion, in order, before the others. */
  readonly initContainers?: readonly ContainerOptions[] | undefined;
  /** Container whose end is the sandbox's, and that commands and files reach. Default `main`. */
  readonly primaryContainer?: string | undefined;
  readonly networkIds?: readonly string[] | undefined;
  /** Pins to these runners; needs, and by itself sets, mode `"cks"`. At most 100. */
  readonly runnerIds?: readonly string[] | undefined;
  readonly instanceType?: string | undefined;
  /** Default: serverless, or cks where `runnerIds` are given. */
  readonly mode?: "serverless" | "cks" | undefined;
  readonly runtimeClass?: string | undefined;
}
