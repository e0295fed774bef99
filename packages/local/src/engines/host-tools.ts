import { realpathSync } from "node:fs";
import { basename, dirname } from "node:path";
import { findProgram } from "./find-program.ts";
import { pythonPrefix } from "./python-prefix.ts";

/** A program of the host that lies outside /usr and is shown in sandboxes, read-only. */
export interface HostTool {
  readonly name: "node" | "python";
  /** Folder on the host, without links. */
  readonly prefix: string;
  /** Where sandboxes see it. */
  readonly inside: string;
}

/**
 * The host's own node and python3 where they are not below /usr (nvm, volta, pyenv, npm's `node`
 * package), so that a test finds in a sandbox what it finds beside it.
 */
export async function findHostTools(): Promise<readonly HostTool[]> {
  const tools = [nodeTool(), await pythonTool()];
  return tools.filter((tool) => tool !== undefined);
}

function nodeTool(): HostTool | undefined {
  const bin = dirname(realpathSync(process.execPath));
  const prefix = dirname(bin);
  // Only a bin folder has a prefix worth showing; next to a stray binary may lie anything.
  if (basename(bin) !== "bin" || isSystem(prefix)) return undefined;
  return { name: "node", prefix, inside: "/opt/host/node" };
}

async function pythonTool(): Promise<HostTool | undefined> {
  const program = findProgram("python3");
  if (program === undefined || isSystem(dirname(realpathSync(program)))) return undefined;
  const prefix = await pythonPrefix(program);
  // Python has its prefix compiled in, so sandboxes must see it at the same path.
  if (prefix === undefined || isSystem(prefix)) return undefined;
  return { name: "python", prefix, inside: prefix };
}

/** Below /usr, which sandboxes see anyway; or a whole root, which they must not see. */
function isSystem(path: string): boolean {
  return path === "/" || path === "/usr" || path.startsWith("/usr/") || /^\/s?bin$/.test(path);
}
