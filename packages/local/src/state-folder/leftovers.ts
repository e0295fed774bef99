import { spawn } from "node:child_process";
import { once } from "node:events";
import { killMarkedProcesses } from "../engines/process/marked-processes.ts";
import type { NoticeListener } from "../notice.ts";
import { askAccess } from "./access-socket.ts";
import { type CandidateFolder, candidateFolders } from "./candidates.ts";
import { livenessOf } from "./process-identity.ts";
import { removeTree } from "./remove-tree.ts";
import { serviceMarker } from "./state-folder.ts";
import { removeUnfinishedFolders } from "./unfinished.ts";

const REMOVE_SECONDS = 60;

/**
 * Removes the folders of services whose process is gone, and processes that outlived one. Where
 * that cannot be known, in a folder shared with another container, nothing is touched.
 */
export async function removeLeftovers(onNotice: NoticeListener): Promise<void> {
  await removeUnfinishedFolders();
  for (const folder of await candidateFolders()) {
    try {
      if (!(await isLeftOver(folder))) continue;
      killStragglers(folder.path);
      await remove(folder);
    } catch (error) {
      const message = `${folder.path} is left over from a service that is gone, and could not be removed: ${String(error)}`;
      onNotice({ code: "leftover_not_removed", message });
    }
  }
}

/** The pid's word is not enough: whoever answers at the folder's door lives. */
async function isLeftOver({ path, owner }: CandidateFolder): Promise<boolean> {
  return livenessOf(owner) === "gone" && (await askAccess(path)) === undefined;
}

/** Only when service and helper were both killed. */
function killStragglers(path: string): void {
  killMarkedProcesses(serviceMarker(path));
}

/** As the account that owns it, so that nothing planted in it can make root delete more. */
async function remove({ path, uid, gid }: CandidateFolder): Promise<void> {
  if (uid === process.getuid?.()) return removeTree(path);
  // `unshare -Ur` gives this account back what a sandbox took from it with `chmod 000`.
  const child = spawn(
    "sh",
    ["-c", 'rm -rf -- "$1" 2>/dev/null || unshare -Ur rm -rf -- "$1"', "sh", path],
    {
      uid,
      gid,
      cwd: "/",
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
      stdio: "ignore",
      timeout: REMOVE_SECONDS * 1000,
    },
  );
  const [code] = (await once(child, "exit")) as [number | null];
  if (code !== 0) throw new Error(`rm ended with code ${code}`);
}
