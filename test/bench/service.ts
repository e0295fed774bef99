import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Connection } from "@tidybox/client";

/** A `tidybox serve` of this workspace, in a process of its own. */
export interface BenchService extends AsyncDisposable {
  readonly connection: Connection;
  readonly apiKey: string;
  readonly pid: number;
  /** Open descriptors of the service's process. */
  openDescriptors(): number;
  /** Resident bytes of the service's process. */
  residentBytes(): number;
}

export async function startService(engine = "bubblewrap"): Promise<BenchService> {
  const main = fileURLToPath(new URL("../../packages/tidybox/dist/main.js", import.meta.url));
  const child = spawn(process.execPath, [main, "serve", "--engine", engine], {
    stdio: ["ignore", "pipe", "inherit"],
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
    residentBytes: () =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024,
    [Symbol.asyncDispose]: async () => {
      connection.close();
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    },
  };
}
