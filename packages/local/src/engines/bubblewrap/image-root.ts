import { existsSync, readdirSync, realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { HostTool } from "../host-tools.ts";
import type { EtcTemplate } from "./etc-template.ts";
import { hostRootArguments, imageRootArguments } from "./host-root.ts";

/** What sandboxes of one image are made of. */
export interface ImageRoot {
  /** Arguments of bwrap for everything but the sandbox's own folders. */
  readonly args: readonly string[];
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

const LOADERS = [
  "/lib64/ld-linux-x86-64.so.2",
  "/lib/ld-linux-aarch64.so.1",
  "/lib/ld-musl-x86_64.so.1",
  "/lib/ld-musl-aarch64.so.1",
];

/** The host's own programs: what an image without a root directory runs on. */
export function hostImageRoot(etcTemplate: EtcTemplate, tools: readonly ToolBind[]): ImageRoot {
  return {
    args: hostRootArguments(),
    path: [...tools.map(({ tool }) => join(tool.inside, "bin")), SYSTEM_PATH].join(":"),
    hostProgram: (name) => [`/usr/bin/${name}`],
    etc: etcTemplate,
    tools,
  };
}

/**
 * An unpacked image: its own programs, read-only. What leads to a command (setpriv, env) is always
 * the host's, with the host's loader and libraries: it has capabilities that no file of an image
 * may get, and busybox images have no setpriv.
 *
 * Throws when this host's loader is not found below /usr.
 */
export function mappedImageRoot(root: string, etcTemplate: EtcTemplate): ImageRoot {
  const extra = readdirSync(root).filter((name) => !OWN.has(name));
  const own = join(root, "etc");
  const etc = existsSync(own) ? { folder: own, bound: [] } : etcTemplate;
  return {
    args: [
      ...imageRootArguments(root),
      ...extra.flatMap((name) => ["--ro-bind-try", join(root, name), `/${name}`]),
      ...["--ro-bind", "/usr", HOST_USR],
    ],
    path: SYSTEM_PATH,
    hostProgram: programOfHostUsr(root),
    etc,
    tools: [],
  };
}

function programOfHostUsr(root: string): ImageRoot["hostProgram"] {
  const loader = LOADERS.filter((path) => existsSync(path))
    .map((path) => realpathSync(path))
    .find((path) => path.startsWith("/usr/"));
  if (loader === undefined)
    throw new Error(`the image ${root} cannot be used: this host's loader is not below /usr`);
  const inside = (path: string): string => `${HOST_USR}${path.slice("/usr".length)}`;
  const options = [
    // Of the image's /etc/ld.so.cache nothing may be believed. musl has none, and no such option.
    ...(basename(loader).startsWith("ld-linux") ? ["--inhibit-cache"] : []),
    ...["--library-path", dirname(inside(loader))],
  ];
  return (name) => [inside(loader), ...options, inside(`/usr/bin/${name}`)];
}
