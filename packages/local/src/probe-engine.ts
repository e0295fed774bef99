import { fork } from "node:child_process";
import { once } from "node:events";
import type { EngineName } from "./engines/engine.ts";
import { LocalServiceError, type LocalServiceErrorCode } from "./error.ts";
import type { LocalNotice } from "./notice.ts";
import { programFile } from "./program-file.ts";

const PROBE_SECONDS = 30;

export type ProbedEngine = "auto" | EngineName;

export type EngineProbe =
  | { readonly works: true; readonly engine: EngineName; readonly notices: readonly LocalNotice[] }
  | {
      readonly works: false;
      readonly code: LocalServiceErrorCode;
      /** What did not work, why, and what to do. */
      readonly problem: string;
      readonly notices: readonly LocalNotice[];
    };

/**
 * Whether an engine works here, proved by making a sandbox, running a command in it and stopping
 * it; `auto` says which one a service would use. In a process of its own, because a service that
 * root starts gives root up. Throws LocalServiceError when that process gives no answer.
 */
export async function probeEngine(engine: ProbedEngine = "auto"): Promise<EngineProbe> {
  const child = fork(programFile("probe-main"), {
    execArgv: [],
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    timeout: PROBE_SECONDS * 1000,
    killSignal: "SIGKILL",
  });
  const exited = once(child, "exit");
  child.send(engine);
  const answered = once(child, "message") as Promise<[EngineProbe]>;
  const answer = await Promise.race([answered, exited.then(() => undefined)]);
  await exited;
  if (answer !== undefined) return answer[0];
  throw new LocalServiceError(
    "local_helper_failed",
    `the probe of the engine "${engine}" ended without an answer (${child.signalCode ?? child.exitCode})`,
  );
}
