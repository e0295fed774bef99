import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { accessOf, type Connection } from "../connection/connection.ts";
import { Listing } from "../sandbox/listing.ts";

export interface ScriptEnd {
  /** As a shell has it in `$?`: 128 + n for a signal. */
  readonly status: number;
  /** Of which it died. */
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program of somebody's, in a process group of its own as a shell would start it. */
export interface Script {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly ended: Promise<ScriptEnd>;
  /** Resolves to the time in milliseconds at which it has printed the text. */
  printed(text: string): Promise<number>;
  /** Answers when. */
  signal(signal: NodeJS.Signals, to?: "process" | "group"): number;
}

export interface ScriptOptions {
  readonly connection: Connection;
  /** On all that it makes. */
  readonly tag: string;
  readonly env?: Readonly<Record<string, string>>;
}

const CLIENT_FOLDER = join(import.meta.dirname, "..");
const PRELUDE = `
  import { setTimeout as sleep } from "node:timers/promises";
  import { Connection, Sandbox, Session, installCleanupHandlers, removeCleanupHandlers, stopAll } from "./index.ts";
  const tags = [process.env.TAG];
  const say = (text) => process._rawDebug(text);
`;
const LIMIT_SECONDS = 40;

/** Runs the lines of JavaScript after {@link PRELUDE}; what they `say` can be waited for. */
export function startScript(body: string, { connection, tag, env = {} }: ScriptOptions): Script {
  const { baseUrl, apiKey = "" } = accessOf(connection);
  const child = spawn(process.execPath, ["--input-type=module", "--eval", PRELUDE + body], {
    cwd: CLIENT_FOLDER,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      PATH: process.env["PATH"],
      CWSANDBOX_BASE_URL: baseUrl,
      CWSANDBOX_API_KEY: apiKey,
      CLIENT: join(CLIENT_FOLDER, "index.ts"),
      TAG: tag,
      ...env,
    },
  });
  const { pid } = child;
  if (pid === undefined) throw new Error("the script could not be started");
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const late = setTimeout(() => process.kill(-pid, "SIGKILL"), LIMIT_SECONDS * 1000);
  const ended = new Promise<ScriptEnd>((resolve) => {
    // All that it printed is there by then; a helper that held its streams would make this late.
    child.once("close", (code, signal) => {
      clearTimeout(late);
      const status = code ?? 128 + constants.signals[signal ?? "SIGKILL"];
      resolve({ status, signal, stdout, stderr });
    });
  });
  return {
    child,
    pid,
    ended,
    printed: async (text) => {
      while (!stderr.includes(text) && !stdout.includes(text)) {
        if (child.exitCode !== null || child.signalCode !== null)
          throw new Error(`ended without saying ${text}: ${stdout}${stderr}`);
        await sleep(2);
      }
      return performance.now();
    },
    signal: (signal, to = "process") => {
      process.kill(to === "group" ? -pid : pid, signal);
      return performance.now();
    },
  };
}

/** Asks the service until nothing carries the tag; answers when. */
export async function nothingLeft(connection: Connection, tag: string): Promise<number> {
  const endsAt = performance.now() + LIMIT_SECONDS * 1000;
  for (;;) {
    const left = await new Listing(
      connection,
      { tags: [tag] },
      ({ sandboxId }) => sandboxId,
    ).toArray();
    if (left.length === 0) return performance.now();
    if (performance.now() > endsAt) throw new Error(`still there: ${left.join(", ")}`);
    await sleep(10);
  }
}
