import { randomUUID } from "node:crypto";
import { withDeadline } from "../deadline.ts";
import { collectOutput } from "./collect-output.ts";
import type { Engine } from "./engine.ts";

/** A loaded machine takes seconds for what is milliseconds; only a start that hangs takes this. */
const PROBE_SECONDS = 10;

/**
 * Really makes a sandbox, runs a command in it and stops it; nothing is concluded from versions or
 * settings. Undefined when that worked, else what went wrong, in the words of whoever said no.
 */
export async function probe(engine: Engine): Promise<string | undefined> {
  try {
    await withDeadline(
      makeAndRun(engine),
      PROBE_SECONDS,
      () => new Error(`making a sandbox took longer than ${PROBE_SECONDS} s`),
    );
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function makeAndRun(engine: Engine): Promise<void> {
  const sandbox = await engine.start({
    id: `probe-${randomUUID()}`,
    image: "",
    workingDirectory: "/workspace",
    environment: {},
    denyEgress: engine.name === "bubblewrap",
    mounts: [],
    restores: [],
    files: [],
  });
  try {
    const process = await sandbox.exec({ argv: ["true"], environment: {}, wantsInput: false });
    const [stderr, { exitCode }] = await Promise.all([
      collectOutput(process.stderr, 4096),
      process.exited,
      collectOutput(process.stdout, 0),
    ]);
    if (exitCode !== 0)
      throw new Error(
        stderr.bytes.toString().trim() || `\`true\` ended with exit code ${exitCode}`,
      );
  } finally {
    await sandbox.stop();
  }
}
