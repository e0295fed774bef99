import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Connection } from "@tidybox/client";
import {
  childrenOf,
  descendantsOf,
  procFile,
} from "../../packages/local/src/testing/process-tree.ts";

/** A service's folder, in it `sandboxes`, then one folder for each kind, and one for each sandbox. */
const SANDBOX_DEPTH = 4;

/** A `tidybox serve` of this workspace, in a process of its own. */
export interface BenchService extends AsyncDisposable {
  readonly connection: Connection;
  readonly apiKey: string;
  readonly pid: number;
  /** Open descriptors of the service's process. */
  openDescriptors(): number;
  /** Resident bytes of the service's process. */
  residentBytes(): number;
  /** And of the process that starts everything for it. */
  helperResidentBytes(): number;
  /** Of everything that the service has started, its helper included. */
  processes(): readonly number[];
  /** How many folders it has on disk, those of its sandboxes included but not what is in them. */
  folderCount(): number;
}

export async function startService(engine = "bubblewrap"): Promise<BenchService> {
  const main = process.env["LABMAIN"] ?? fileURLToPath(new URL("../../packages/tidybox/dist/main.js", import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), "bench-"));
  // For the account that the service becomes where root starts it.
  chmodSync(folder, 0o1777);
  const child = spawn(process.execPath, [...(process.env["LAB"]?.split(" ") ?? []), main, "serve", "--engine", engine], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, TMPDIR: folder },
  });
  const printed: Record<string, string> = {};
  for await (const line of createInterface({ input: child.stdout })) {
    const at = line.indexOf("=");
    printed[line.slice(0, at)] = line.slice(at + 1);
    if (Object.keys(printed).length === 2) break;
  }
  const { pid } = child;
  if (pid === undefined || printed["CWSANDBOX_BASE_URL"] === undefined)
    throw new Error("tidybox serve did not start");
  const connection = new Connection({
    baseUrl: printed["CWSANDBOX_BASE_URL"],
    apiKey: printed["CWSANDBOX_API_KEY"] ?? "",
  });
  return {
    connection,
    apiKey: printed["CWSANDBOX_API_KEY"] ?? "",
    pid,
    openDescriptors: () => readdirSync(`/proc/${pid}/fd`).length,
    residentBytes: () => residentBytesOf(pid),
    helperResidentBytes: () =>
      childrenOf(pid)
        .filter((each) => procFile(each, "cmdline").includes("spawn-helper"))
        .reduce((sum, each) => sum + residentBytesOf(each), 0),
    processes: () => descendantsOf(pid),
    folderCount: () => foldersBelow(folder, SANDBOX_DEPTH),
    [Symbol.asyncDispose]: async () => {
      connection.close();
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Folders may go while they are looked at. */
function foldersBelow(path: string, depth: number): number {
  if (depth === 0) return 0;
  try {
    const folders = readdirSync(path, { withFileTypes: true }).filter((each) => each.isDirectory());
    return folders.reduce(
      (sum, { name }) => sum + 1 + foldersBelow(join(path, name), depth - 1),
      0,
    );
  } catch {
    return 0;
  }
}

function residentBytesOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
}
