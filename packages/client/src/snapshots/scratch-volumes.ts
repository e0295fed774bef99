import { getSandbox } from "../sandbox/get.ts";
import type { SandboxHandle } from "../sandbox/handle.ts";

/** Names of a sandbox's scratch volumes, in the order of its spec. */
export async function scratchVolumesOf(
  handle: SandboxHandle,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (handle.record?.spec === undefined)
    handle.see(await getSandbox(handle.connection, handle.id, signal));
  const volumes = handle.record?.spec?.volumes ?? [];
  return volumes.filter(({ source }) => source.case !== "volumeId").map(({ name }) => name);
}
