import { type Access, askAccess } from "./access-socket.ts";
import { candidateFolders } from "./candidates.ts";
import { livenessOf } from "./process-identity.ts";

/** A live local service of this account on this machine. */
export interface FoundLocalService {
  readonly baseUrl: string;
  readonly token: string;
  readonly pid: number;
  readonly label?: string;
}

/**
 * Live local services of this account on this machine, found through their private folders. One
 * that does not answer within two seconds is left out.
 */
export async function findLocalServices(): Promise<readonly FoundLocalService[]> {
  const folders = (await candidateFolders()).filter(({ owner }) => livenessOf(owner) === "alive");
  const answers = await Promise.all(folders.map(({ path }) => askAccess(path)));
  // A folder's owner is checked by the system; that the answer is its owner's, by the pid.
  return answers.filter(
    (access, index): access is Access => access?.pid === folders[index]?.owner.pid,
  ) as readonly FoundLocalService[];
}
