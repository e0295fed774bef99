import { eventually, sh, type SpecInit } from "../../packages/local/src/testing/test-service.ts";
import type { CaseContext } from "./contract.ts";
import { running } from "./sandboxes.ts";

/** A container whose main process is a shell script. */
export function mainScript(script: string): { readonly command: string; readonly args: string[] } {
  return { command: "/bin/sh", args: ["-c", script] };
}

/** A RUNNING sandbox whose main process has executed `trap`, and goes on until a signal ends it. */
export async function trapping(
  context: CaseContext,
  trap: string,
  rest: SpecInit = {},
): Promise<string> {
  const script = `${trap}; echo > ready; while :; do sleep 0.05; done`;
  const sandboxId = await running(context, mainScript(script), rest);
  // RUNNING means started: a shell needs a moment more to set its trap.
  await eventually(
    async () => (await sh(context.bed.sandboxes, sandboxId, "test -e ready")).exitCode === 0,
  );
  return sandboxId;
}

/** Its main process ignores SIGTERM. */
export function stubborn(context: CaseContext, rest: SpecInit = {}): Promise<string> {
  return trapping(context, "trap '' TERM", rest);
}

/** A main process that goes on until `letGo` is called, and then exits with `code`. */
export function waitingMain(code: number): { readonly command: string; readonly args: string[] } {
  return mainScript(`until [ -e go ]; do sleep 0.02; done; exit ${code}`);
}

export async function letGo({ bed }: CaseContext, sandboxId: string): Promise<void> {
  await sh(bed.sandboxes, sandboxId, "echo > go");
}
