import {
  eventually,
  type ServiceClient,
  sh,
} from "../../packages/local/src/testing/test-service.ts";

/** The sandbox's working directory by the name that its commands have for it. */
export async function folderOf(client: ServiceClient, sandboxId: string): Promise<string> {
  const { stdout } = await sh(client, sandboxId, "pwd");
  return stdout.trimEnd();
}

/** For a script: writes its process id to a file, which `untilGone` and `isAlive` look for. */
export const TELL_PID = "echo $$ > pid.new; mv pid.new pid";

/** Waits until a script has told its process id. */
export async function untilTold(client: ServiceClient, sandboxId: string): Promise<void> {
  await eventually(async () => (await sh(client, sandboxId, "test -e pid")).exitCode === 0);
}

export async function isAlive(client: ServiceClient, sandboxId: string): Promise<boolean> {
  const script = 'kill -0 "$(cat pid)" 2>/dev/null';
  return (await sh(client, sandboxId, script)).exitCode === 0;
}

/** Waits until the process that has told its id runs no more; the case's timeout bounds it. */
export async function untilGone(client: ServiceClient, sandboxId: string): Promise<void> {
  await eventually(async () => !(await isAlive(client, sandboxId)));
}
