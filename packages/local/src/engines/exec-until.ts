import type { EngineProcess, EngineSandbox, ExecCommand } from "./engine.ts";

/** Runs a command that is killed once the signal, if there is one, aborts. */
export async function execUntil(
  signal: AbortSignal | undefined,
  sandbox: Pick<EngineSandbox, "exec">,
  command: ExecCommand,
): Promise<EngineProcess> {
  const process = await sandbox.exec(command);
  if (signal === undefined) return process;
  const kill = (): void => process.kill();
  if (signal.aborted) kill();
  signal.addEventListener("abort", kill, { once: true });
  void process.exited.then(() => signal.removeEventListener("abort", kill));
  return process;
}
