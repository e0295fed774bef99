import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Connection } from "@tidybox/client";
import { onTestFinished } from "vitest";
import type { Bed } from "./bed.ts";
import { outsideEnvironment } from "./environment.ts";
import { type ListedSandbox, listFromOutside } from "./observer.ts";

/** A `tidybox serve` in a process of its own: it stands in for the remote service. */
export interface Served extends AsyncDisposable {
  readonly pid: number;
  /** `CWSANDBOX_BASE_URL` and `CWSANDBOX_API_KEY`, as it printed them. */
  readonly env: Readonly<Record<string, string>>;
  readonly stderr: () => string;
  list(args?: readonly string[]): Promise<readonly ListedSandbox[]>;
}

/** On a machine that has much else to do. */
const START_SECONDS = 60;

export async function startServe(
  bed: Bed,
  args: readonly string[] = [],
  extraEnv: Readonly<Record<string, string>> = {},
): Promise<Served> {
  const main = join(bed.directory, "node_modules/tidybox/dist/main.js");
  const child = spawn(process.execPath, [main, "serve", ...args], {
    env: outsideEnvironment(extraEnv),
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const env: Record<string, string> = {};
  const late = setTimeout(() => child.kill("SIGKILL"), START_SECONDS * 1000);
  for await (const line of createInterface({ input: child.stdout })) {
    const [name, value] = line.split(/=(.*)/s);
    if (name !== undefined && value !== undefined) env[name] = value;
    if (Object.keys(env).length === 2) break;
  }
  clearTimeout(late);
  if (Object.keys(env).length !== 2 || child.pid === undefined)
    throw new Error(`tidybox serve did not start: ${stderr}`);
  return {
    pid: child.pid,
    env,
    stderr: () => stderr,
    list: (more = []) => listFromOutside(bed, more, env),
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      const stuck = setTimeout(() => child.kill("SIGKILL"), 10_000);
      await ended;
      clearTimeout(stuck);
    },
  };
}

/** A connection of the test's own, closed at its end. */
export function connectionTo({ env }: Served): Connection {
  const connection = new Connection({
    baseUrl: env["CWSANDBOX_BASE_URL"] ?? "",
    apiKey: env["CWSANDBOX_API_KEY"] ?? "",
  });
  onTestFinished(() => connection.close());
  return connection;
}
