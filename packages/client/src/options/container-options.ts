import type { ResourceOptions } from "./resource-options.ts";
import type { ImagePullCredentials, SecretOptions } from "./secret-options.ts";

/** A container beside the main one, or one that runs before it. */
export interface ContainerOptions {
  /** Unique in the sandbox; `main` is taken. */
  readonly name: string;
  readonly image: string;
  /** Default: the image's own. */
  readonly command?: readonly string[] | undefined;
  readonly environment?: Readonly<Record<string, string>> | undefined;
  readonly workingDirectory?: string | undefined;
  readonly files?: Readonly<Record<string, string | Uint8Array>> | undefined;
  readonly resources?: ResourceOptions | undefined;
  readonly volumeMounts?: readonly VolumeMountOptions[] | undefined;
  readonly secrets?: readonly SecretOptions[] | undefined;
  readonly securityContext?: SecurityOptions | undefined;
  readonly imagePullCredentials?: ImagePullCredentials | undefined;
}

export interface VolumeMountOptions {
  /** Name of one of the sandbox's volumes. */
  readonly volume: string;
  /** Absolute. */
  readonly mountPath: string;
  readonly readOnly?: boolean | undefined;
  /** Relative path inside the volume, without `.` and `..`. */
  readonly subPath?: string | undefined;
}

export interface SecurityOptions {
  /** Default: the image's user. */
  readonly runAsUser?: number | undefined;
  readonly runAsGroup?: number | undefined;
  readonly privileged?: boolean | undefined;
  readonly allowPrivilegeEscalation?: boolean | undefined;
  readonly readOnlyRootFilesystem?: boolean | undefined;
  /** Such as `NET_ADMIN`. */
  readonly capabilitiesAdd?: readonly string[] | undefined;
  readonly capabilitiesDrop?: readonly string[] | undefined;
  readonly seccompProfile?: "RuntimeDefault" | "Unconfined" | undefined;
}
