import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { HostTool } from "../host-tools.ts";
import type { CurrentEtc } from "./current-etc.ts";
import { type EtcTemplate, foreignEtc } from "./etc-template.ts";
import { programsByLoader } from "./host-loader.ts";
import { hostRootArguments, hostLinks, imageRootArguments } from "./host-root.ts";

/** What sandboxes of one image are made of. */
export interface ImageRoot {
  /** Arguments of bwrap for everything but the sandbox's own folders. */
  readonly args: readonly string[];
  /** Links in the sandbox's root, and where they lead. */
  readonly links: Readonly<Record<string, string>>;
  readonly path: string;
  /** Words before a program of the host that runs inside, such as setpriv. */
  readonly hostProgram: (name: string) => readonly string[];
  readonly etc: EtcTemplate;
  /** Bound read-only after the sandbox's own folders, because one may lie below them. */
  readonly tools: readonly ToolBind[];
}

export interface ToolBind {
  readonly tool: HostTool;
  /** Where this account reaches the tool's prefix. */
  readonly source: string;
}

export const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Made by every sandbox for itself, whatever an image brings. */
const OWN = new Set([
  ...["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "etc", "proc", "sys", "dev"],
  ...["tmp", "run", "var", "root", "workspace", "mnt", "media", "lost+found", ".host"],
]);

/** Where sandboxes of a mapped image see the host's /usr: a mount point of its own (host-root.ts). */
const HOST_USR = "/.host";

/** The host's own programs: what an image without a root directory runs on. */
export function hostImageRoot(
  etc: CurrentEtc,
  tools: readonly ToolBind[],
  loader: string | undefined,
): ImageRoot {
  const links = hostLinks();
  const byLoader =
    links === undefined || loader === undefined ? undefined : programsByLoader(loader, "/usr");
  return {
    args: byLoader === undefined ? hostRootArguments() : ["--ro-bind", "/usr", "/usr"],
    links: byLoader === undefined ? {} : (links ?? {}),
    path: [...tools.map(({ tool }) => join(tool.inside, "bin")), SYSTEM_PATH].join(":"),
    hostProgram: byLoader ?? ((name) => [`/usr/bin/${name}`]),
    get etc() {
      return etc.current;
    },
    tools,
  };
}

/**
 * An unpacked image: its own programs, read-only. What leads to a command (setpriv, env) is always
 * the host's, with the host's loader and libraries: it has capabilities that no file of an image
 * may get, and busybox images have no setpriv.
 *
 * Throws when this host's programs cannot be run by a loader below /usr.
 */
export function mappedImageRoot(
  root: string,
  etcTemplate: EtcTemplate,
  loader: string | undefined,
): ImageRoot {
  const extra = readdirSync(root).filter((name) => !OWN.has(name));
  const own = join(root, "etc");
  const etc = existsSync(own) ? foreignEtc(own) : etcTemplate;
  if (loader === undefined) {
    throw new Error(
      `the image ${root} cannot be used: this host's loader, or what its programs load, is not below /usr`,
    );
  }
  return {
    args: [
      ...imageRootArguments(root),
      ...extra.flatMap((name) => ["--ro-bind-try", join(root, name), `/${name}`]),
      ...["--ro-bind", "/usr", HOST_USR],
    ],
    links: {},
    path: SYSTEM_PATH,
    hostProgram: programsByLoader(loader, HOST_USR),
    etc,
    tools: [],
  };
}
