import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** How long its sandboxes take to start and to stop, in milliseconds. */
export interface Simulation {
  readonly startMs: number;
  readonly stopMs: number;
}

/** A service whose sandboxes are records without processes, in a process of its own. */
export interface SimulatedService extends AsyncDisposable {
  /** `CWSANDBOX_BASE_URL` and `CWSANDBOX_API_KEY`. */
  readonly env: Readonly<Record<string, string>>;
}

export async function startSimulatedService({
  startMs,
  stopMs,
}: Simulation): Promise<SimulatedService> {
  const main = fileURLToPath(
    new URL("../../../packages/local/src/testing/serve-simulated.ts", import.meta.url),
  );
  const latency = { start: `${startMs}ms`, stop: `${stopMs}ms` };
  const options = startMs + stopMs === 0 ? {} : { faults: { latency } };
  const child = spawn(process.execPath, [main, JSON.stringify(options)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const env: Record<string, string> = {};
  for await (const line of createInterface({ input: child.stdout })) {
    const at = line.indexOf("=");
    env[line.slice(0, at)] = line.slice(at + 1);
    if (Object.keys(env).length === 2) break;
  }
  if (Object.keys(env).length !== 2) throw new Error("the simulated service did not start");
  return {
    env,
    [Symbol.asyncDispose]: async () => {
      const gone = once(child, "exit");
      child.kill("SIGTERM");
      await gone;
    },
  };
}
