import { existsSync, readdirSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import type { HostTool } from "../host-tools.ts";
import type { EtcTemplate } from "./etc-template.ts";
import { rootArguments } from "./host-root.ts";

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
  ...["tmp", "run", "var", "root", "workspace", "mnt", "media", "lost+found"],
]);

const LOADERS = [
  "/lib64/ld-linux-x86-64.so.2",
  "/lib/ld-linux-aarch64.so.1",
  "/lib/ld-musl-x86_64.so.1",
  "/lib/ld-musl-aarch64.so.1",
];

/** The host's own programs: what an image without a root directory runs on. */
export function hostImageRoot(etcTemplate: EtcTemplate, tools: readonly ToolBind[]): ImageRoot {
  return {
    args: rootArguments("/"),
    path: [...tools.map(({ tool }) => join(tool.inside, "bin")), SYSTEM_PATH].join(":"),
    hostProgram: (name) => [`/usr/bin/${name}`],
    etc: etcTemplate,
    tools,
  };
}

/** An unpacked image: its own programs, read-only. */
export function mappedImageRoot(root: string, etcTemplate: EtcTemplate): ImageRoot {
  const extra = readdirSync(root).filter((name) => !OWN.has(name));
  const args = [
    ...rootArguments(root),
    ...extra.flatMap((name) => ["--ro-bind-try", join(root, name), `/${name}`]),
  ];
  const own = join(root, "etc");
  const etc = existsSync(own) ? { folder: own, bound: [] } : etcTemplate;
  if (existsSync(join(root, "usr/bin/setpriv")) && existsSync(join(root, "bin/cat"))) {
    return {
      args,
      path: SYSTEM_PATH,
      hostProgram: (name) => [name === "cat" ? "/bin/cat" : `/usr/bin/${name}`],
      etc,
      tools: [],
    };
  }
  // Busybox roots have no setpriv: run the host's, with the host's loader and libraries.
  const loader = LOADERS.find((path) => existsSync(path));
  if (loader === undefined)
    throw new Error(`${root} has no /usr/bin/setpriv, and this host's loader was not found`);
  const inside = `/.host${realpathSync(loader)}`;
  return {
    args: [...args, "--ro-bind", "/usr", "/.host/usr"],
    path: SYSTEM_PATH,
    hostProgram: (name) => [inside, "--library-path", dirname(inside), `/.host/usr/bin/${name}`],
    etc,
    tools: [],
  };
}
