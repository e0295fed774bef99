import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { RunInfo } from "@tidybox/fixtures";
import type { HoldersStretch, HoldersTask } from "./holders.ts";

/** Processes that hold leases of a run, and acquire and release when they are told to. */
export interface LeaseProcesses extends AsyncDisposable {
  /** Resolves when so many sandboxes have been acquired and released, over all leases. */
  work(stretch: HoldersStretch): Promise<void>;
}

export async function openLeases(
  info: RunInfo,
  leases: number,
  processes: number,
): Promise<LeaseProcesses> {
  const children = Array.from({ length: processes }, () =>
    fork(fileURLToPath(new URL("holders.ts", import.meta.url)), { stdio: "inherit" }),
  );
  const all = <T>(body: (child: ChildProcess, index: number) => Promise<T>): Promise<T[]> =>
    Promise.all(children.map(body));
  await all(async (child, index) => {
    const task: HoldersTask = { info, leases: share(leases, processes, index) };
    child.send(task);
    await answer(child);
  });
  return {
    work: async ({ cycles, atOnce }) => {
      await all(async (child, index) => {
        child.send({ cycles: share(cycles, processes, index), atOnce } satisfies HoldersStretch);
        await answer(child);
      });
    },
    [Symbol.asyncDispose]: async () => {
      await all(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const gone = once(child, "exit");
        child.send("close");
        await gone;
      });
    },
  };
}

/** The first ones get what does not divide. */
function share(whole: number, parts: number, index: number): number {
  return Math.floor(whole / parts) + (index < whole % parts ? 1 : 0);
}

/** @throws where the process ends in place of an answer: it has said why on stderr. */
async function answer(child: ChildProcess): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const ended = (code: number | null): void =>
      reject(new Error(`a process of lease holders ended with ${code}`));
    child.once("exit", ended);
    child.once("message", () => {
      child.off("exit", ended);
      resolve();
    });
  });
}
