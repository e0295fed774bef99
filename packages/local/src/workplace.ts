import { chownSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { killMarkedProcesses } from "./engines/process/marked-processes.ts";
import type { HostTool } from "./engines/host-tools.ts";
import type { ToolBind } from "./engines/bubblewrap/image-root.ts";
import { LocalServiceError } from "./error.ts";
import type { NoticeListener } from "./notice.ts";
import { type Identity, unusedIdentity } from "./privileges/identity.ts";
import { isReachableByOthers } from "./privileges/reachable.ts";
import { programFile } from "./program-file.ts";
import type { FailedMount, ToolMount } from "./spawner/messages.ts";
import { readableCopy } from "./spawner/readable-copy.ts";
import { Spawner } from "./spawner/spawner.ts";
import { prepareTerminals } from "./spawner/terminal-program.ts";
import { removeTree } from "./state-folder/remove-tree.ts";
import { spreadFolders } from "./state-folder/spread-folders.ts";
import { makeStateFolder, sandboxesFolder, serviceMarker } from "./state-folder/state-folder.ts";

export interface WorkplaceOptions {
  readonly keepRoot: boolean;
  readonly tools: readonly HostTool[];
  readonly label: string | undefined;
  readonly onNotice: NoticeListener;
  /** The account to give root up for. Default: one that nobody has. */
  readonly identity?: Identity | undefined;
}

/** What an engine needs of the machine: a private folder, a helper that forks, the host's tools. */
export interface Workplace {
  readonly folder: string;
  readonly spawner: Spawner;
  readonly tools: readonly ToolBind[];
  /** Whom the helper has become; this process has not yet. */
  readonly identity: Identity | undefined;
  /** Ends the helper and everything it started, and removes the folder. Safe to call twice. */
  close(): Promise<void>;
}

/** Must be called while this process is still whoever started it. */
export async function openWorkplace({
  keepRoot,
  tools,
  label,
  onNotice,
  identity: preferred,
}: WorkplaceOptions): Promise<Workplace> {
  const identity = keepRoot ? undefined : (preferred ?? unusedIdentity());
  const folder = makeStateFolder(identity, label);
  try {
    // Below somebody's 0700 home the new account could not reach them: the helper binds them
    // elsewhere, in a mount namespace of its own, while it is root. Nothing is copied or left.
    const hidden =
      identity === undefined ? [] : tools.filter((tool) => !isReachableByOthers(tool.prefix));
    const boundAt = (tool: HostTool): string => join(folder, "tools", tool.name);
    const made = (path: string, mode: number): void => {
      mkdirSync(path, { mode });
      if (identity !== undefined) chownSync(path, identity.uid, identity.gid);
    };
    for (const path of [join(folder, "tools"), ...hidden.map(boundAt)]) made(path, 0o755);
    made(sandboxesFolder(folder), 0o700);
    await spreadFolders([folder, sandboxesFolder(folder)]);
    const mounts = hidden.map((tool) => ({ source: tool.prefix, target: boundAt(tool) }));
    const { spawner, failedMounts } = await startSpawner(folder, identity, mounts);
    let closing: Promise<void> | undefined;
    spawner.lost
      // What it had just begun to make cannot say with whom it wants to die.
      .then(() => {
        if (closing === undefined) killMarkedProcesses(serviceMarker(folder));
      })
      // Whoever starts next on this machine looks for them again.
      .catch(() => {});
    const failed = new Set(failedMounts.map(({ source }) => source));
    for (const { source, reason } of failedMounts) {
      const message = `${source} will not be visible in sandboxes: the service gave up root and cannot reach it, and binding it failed (${reason}). Make it readable for others, or pass keepRoot.`;
      onNotice({ code: "tool_unreachable", message });
    }
    return {
      folder,
      spawner,
      identity,
      tools: tools
        .filter((tool) => !failed.has(tool.prefix))
        .map((tool) => ({ tool, source: hidden.includes(tool) ? boundAt(tool) : tool.prefix })),
      close: () =>
        (closing ??= (async () => {
          await spawner.close();
          await removeTree(folder);
        })()),
    };
  } catch (error) {
    await removeTree(folder).catch(() => {});
    throw error;
  }
}

async function startSpawner(
  folder: string,
  identity: Identity | undefined,
  mounts: readonly ToolMount[],
): Promise<{ readonly spawner: Spawner; readonly failedMounts: readonly FailedMount[] }> {
  const options = {
    folder,
    watchdogMarker: serviceMarker(folder),
    terminals: prepareTerminals(folder, identity),
    relayMain: readableCopy(programFile("relay-main"), join(folder, "relay"), identity),
    ...(identity && { identity }),
  };
  try {
    const spawner = await Spawner.start({ ...options, mounts });
    return { spawner, failedMounts: spawner.failedMounts };
  } catch (error) {
    if (mounts.length === 0 || !(error instanceof LocalServiceError)) throw error;
    // This root may not make mount namespaces: go on without, and say what is missing.
    const failedMounts = mounts.map(({ source }) => ({ source, reason: error.message }));
    return { spawner: await Spawner.start({ ...options, mounts: [] }), failedMounts };
  }
}
