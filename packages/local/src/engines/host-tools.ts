import { execFile } from "node:child_process";
import { realpathSync } from "node:fs";
import { basename, dirname } from "node:path";
import { promisify } from "node:util";
import { findProgram } from "./find-program.ts";

/** Shims of version managers start a shell or two before they answer. */
const PYTHON_ANSWER_SECONDS = 5;

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
  try {
    const { stdout } = await promisify(execFile)(
      program,
      ["-I", "-c", "import sys; print(sys.base_prefix)"],
      {
        timeout: PYTHON_ANSWER_SECONDS * 1000,
      },
    );
    const prefix = realpathSync(stdout.trim());
    // Python has its prefix compiled in, so sandboxes must see it at the same path.
    return isSystem(prefix) ? undefined : { name: "python", prefix, inside: prefix };
  } catch {
    // A shim with no version behind it: sandboxes then have the system's python or none, as here.
    return undefined;
  }
}

/** Below /usr, which sandboxes see anyway; or a whole root, which they must not see. */
function isSystem(path: string): boolean {
  return path === "/" || path === "/usr" || path.startsWith("/usr/") || /^\/s?bin$/.test(path);
}
