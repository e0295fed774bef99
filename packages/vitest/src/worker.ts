import type { Run, RunInfo, Worker } from "@tidybox/fixtures";
import { publicRun as publicRunOf } from "@tidybox/fixtures/adapter";
import { inject } from "vitest";
import type {} from "./types.ts";

/** What the plugin provided; absent where it is not configured. */
export function runInfo(): RunInfo {
  const info = inject("tidybox") as RunInfo | undefined;
  if (info === undefined) {
    throw new Error(
      'tidybox: no run. Add the plugin to your Vitest configuration: import { tidybox } from "@tidybox/vitest/plugin"; ' +
        "export default defineConfig({ plugins: [tidybox()] }). With `projects`, add it to each project that uses sandboxes.",
    );
  }
  return info;
}

/** The run as a test sees it: without the addresses and the secret. */
export function publicRun(): Run {
  return publicRunOf(runInfo());
}

interface OpenWorker {
  readonly worker: Promise<Worker>;
  users: number;
}

let current: OpenWorker | undefined;

/**
 * The worker's lease and session, opened when a test first needs them. The extended `test` and the
 * plain one may both stand in a file: they share one.
 */
export async function useWorker(): Promise<Worker> {
  if (current === undefined) {
    const info = runInfo();
    // Loaded here and not at the top: a file without sandboxes pays nothing for the wire.
    const worker = import("@tidybox/fixtures").then(({ Worker }) => Worker.open(info));
    current = { worker, users: 0 };
    worker.catch(() => (current = undefined));
  }
  current.users += 1;
  return current.worker;
}

/** The worker that somebody uses already. */
export function openWorker(): Promise<Worker> {
  if (current === undefined) throw new Error("tidybox: the worker's session is closed");
  return current.worker;
}

/** Closes it when its last user is done. Bounded, never throws. */
export async function leaveWorker(): Promise<void> {
  if (current === undefined) return;
  current.users -= 1;
  if (current.users > 0) return;
  const { worker } = current;
  current = undefined;
  await worker.then((open) => open.close()).catch(() => {});
}
