import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, globSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
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
  /** How many folders of sandboxes it has on disk. */
  sandboxFolderCount(): number;
}

/** @param args further ones of `tidybox serve` */
export async function startService(
  engine = "bubblewrap",
  args: readonly string[] = [],
): Promise<BenchService> {
  const main = fileURLToPath(new URL("../../packages/tidybox/dist/main.js", import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), "bench-"));
  // For the account that the service becomes where root starts it.
  chmodSync(folder, 0o1777);
  const child = spawn(process.execPath, [main, "serve", "--engine", engine, ...args], {
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
    // In the service's own folder, one for each.
    sandboxFolderCount: () => globSync(join(folder, "*/sandboxes/*")).length,
    [Symbol.asyncDispose]: async () => {
      connection.close();
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function residentBytesOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
}
