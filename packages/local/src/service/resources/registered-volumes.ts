import { accessSync, constants, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { ConnectError } from "@connectrpc/connect";
import type { Container, SandboxSpec } from "@tidybox/protocol";
import { LocalServiceError } from "../../error.ts";
import { invalidArgument, notImplemented } from "../failures.ts";
import { RESOURCE_ID } from "./resource-id.ts";

/** A volume that sandboxes mount by its id. */
export interface VolumeOptions {
  /** Absolute directory of this machine. Default: an empty one of the service's own. */
  readonly folder?: string;
  /** No sandbox may write to it, whatever its mount says. Default false. */
  readonly readOnly?: boolean;
}

/** Where the content of a volume is on this machine. */
export interface VolumeFolder {
  readonly folder: string;
  readonly readOnly: boolean;
}

/** Volumes that outlive sandboxes and are shared by them, live (reference 2.4). */
export class RegisteredVolumes {
  readonly #volumes = new Map<string, VolumeFolder>();

  /** `parent` is where volumes without a directory of their own are. Throws LocalServiceError. */
  constructor(parent: string, options: Readonly<Record<string, VolumeOptions>>) {
    for (const [id, { folder, readOnly = false }] of Object.entries(options)) {
      if (!RESOURCE_ID.test(id)) throw wrong(id, "must be named by 1 to 63 of A-Z a-z 0-9 . _ -");
      if (folder !== undefined) checkFolder(id, folder, readOnly);
      const own = join(parent, id);
      if (folder === undefined) mkdirSync(own, { recursive: true, mode: 0o700 });
      this.#volumes.set(id, { folder: folder ?? own, readOnly });
    }
  }

  /** Throws for ids that nobody has registered, and for uses that would not be safe here. */
  check(spec: SandboxSpec): void {
    const violations = spec.volumes.flatMap(({ source }, index) => {
      if (source.case !== "volumeId" || this.#volumes.has(source.value)) return [];
      const known = [...this.#volumes.keys()];
      const there = known.length === 0 ? "there are none" : `there are ${known.join(", ")}`;
      const description = `names no registered volume: ${JSON.stringify(source.value)}; ${there} on this local service (option \`volumes\`)`;
      return [{ field: `sandbox.spec.volumes[${index}].volume_id`, description }];
    });
    if (violations.length > 0) throw invalidArgument(violations);
    const live = new Set(
      spec.volumes.filter(({ source }) => source.case === "volumeId").map(({ name }) => name),
    );
    for (const [index, container] of spec.initContainers.entries())
      checkMounts(container, `sandbox.spec.init_containers[${index}]`, live);
    for (const [index, container] of spec.containers.entries())
      checkMounts(container, `sandbox.spec.containers[${index}]`, live);
  }

  /** By the name that the spec gives to each; scratch volumes are not among them. */
  foldersOf(spec: SandboxSpec): ReadonlyMap<string, VolumeFolder> {
    return new Map(
      spec.volumes.flatMap(({ name, source }) => {
        const folder = source.case === "volumeId" ? this.#volumes.get(source.value) : undefined;
        return folder === undefined ? [] : [[name, folder] as const];
      }),
    );
  }
}

/** Ids of the registered volumes of a spec, each once. */
export function attachedVolumeIds(spec: SandboxSpec): readonly string[] {
  const ids = spec.volumes.flatMap(({ source }) =>
    source.case === "volumeId" ? [source.value] : [],
  );
  return [...new Set(ids)];
}

/**
 * A path within a live volume can be swapped for a link by another sandbox while we look at it, and
 * the link would then be followed on this machine. So nothing is looked up in one.
 */
function checkMounts({ volumeMounts }: Container, at: string, live: ReadonlySet<string>): void {
  for (const [index, { volume, mountPath, subPath }] of volumeMounts.entries()) {
    if (!live.has(volume)) continue;
    const field = `${at}.volume_mounts[${index}]`;
    if (subPath !== "")
      throw missing(
        `${field}.sub_path`,
        `sub paths of registered volumes (${volume}). Mount the whole volume.`,
      );
    const inner = volumeMounts.find((each) => each.mountPath.startsWith(`${mountPath}/`));
    if (inner !== undefined)
      throw missing(
        `${field}.mount_path`,
        `mounts within a registered volume (${inner.mountPath}). Mount it elsewhere.`,
      );
  }
}

function missing(field: string, what: string): ConnectError {
  const description = `the local service does not have: ${what}`;
  return notImplemented(`${field}: ${description}`, [{ field, description }]);
}

function checkFolder(id: string, folder: string, readOnly: boolean): void {
  const wanted = readOnly
    ? constants.R_OK | constants.X_OK
    : constants.R_OK | constants.W_OK | constants.X_OK;
  try {
    if (!folder.startsWith("/") || !statSync(folder).isDirectory()) throw new Error("no directory");
    accessSync(folder, wanted);
  } catch {
    throw wrong(
      id,
      `must be an absolute directory that the service's account (uid ${process.getuid?.()}) can read${readOnly ? "" : " and write"}; ${JSON.stringify(folder)} is not. ` +
        "Change its permissions, start the service without root, or leave `folder` out.",
    );
  }
}

function wrong(id: string, what: string): LocalServiceError {
  return new LocalServiceError(
    "local_option_invalid",
    `local service: option volumes: ${JSON.stringify(id)} ${what}`,
  );
}
