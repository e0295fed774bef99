import { randomInt } from "node:crypto";
import { readFileSync } from "node:fs";

export interface Identity {
  readonly uid: number;
  readonly gid: number;
}

interface IdRange {
  readonly first: number;
  readonly count: number;
}

/**
 * Above what accounts, subordinate ids, service managers and directory services (sssd: up to
 * 2000200000) hand out, below what systemd keeps for itself at the end of 2^31.
 */
const PREFERRED: IdRange = { first: 2_001_000_000, count: 146_000_000 };
const LOWEST_PREFERRED = 100_000;

/** Ids below this belong to the system or to people. */
const LOWEST = 20_000;
const NOBODY = 65_534;

/**
 * The account that a service started by real root becomes: an id that nobody has. Undefined when
 * this process is not root, or only root of a user namespace in which no other id exists.
 */
export function unusedIdentity(): Identity | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return undefined;
  const taken = takenIds();
  const range = unusedRange();
  if (range === undefined) return undefined;
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const id = range.first + randomInt(range.count);
    if (!taken(id)) return { uid: id, gid: id };
  }
  return undefined;
}

/**
 * Whether an identity can be one that `unusedIdentity` has given here. That nobody here has an id
 * is not enough: accounts of a directory service (LDAP) are in no file of this machine.
 */
export function isUnusedIdentity({ uid, gid }: Identity): boolean {
  const range = unusedRange();
  if (range === undefined || uid !== gid || belongsToAnAccount(uid)) return false;
  return uid >= range.first && uid < range.first + range.count;
}

function unusedRange(): IdRange | undefined {
  return bestRange(readRanges("/proc/self/uid_map"), readRanges("/proc/self/gid_map"));
}

/** Whether an account, or a range given to one for its containers, covers the id. */
export function belongsToAnAccount(id: number): boolean {
  return takenIds()(id);
}

function bestRange(uids: readonly IdRange[], gids: readonly IdRange[]): IdRange | undefined {
  const shared = uids
    .flatMap((uid) => gids.map((gid) => intersection(uid, gid)))
    .filter((range) => range.count > 0);
  const above = (lowest: number): IdRange | undefined =>
    shared
      .map((range) => intersection(range, { first: lowest, count: 2 ** 31 - lowest }))
      .find(({ count }) => count > 0);
  const preferred = shared
    .map((range) => intersection(range, PREFERRED))
    .find(({ count }) => count > 0);
  return preferred ?? above(LOWEST_PREFERRED) ?? above(LOWEST);
}

function intersection(a: IdRange, b: IdRange): IdRange {
  const first = Math.max(a.first, b.first);
  return { first, count: Math.max(0, Math.min(a.first + a.count, b.first + b.count) - first) };
}

function readRanges(path: string): readonly IdRange[] {
  return lines(path).map((line) => {
    const [first = 0, , count = 0] = line.trim().split(/\s+/).map(Number);
    return { first, count };
  });
}

function takenIds(): (id: number) => boolean {
  const single = new Set([NOBODY]);
  for (const path of ["/etc/passwd", "/etc/group"]) {
    for (const line of lines(path)) single.add(Number(line.split(":")[2]));
  }
  const ranges = ["/etc/subuid", "/etc/subgid"].flatMap(lines).map((line) => {
    const [, first, count] = line.split(":");
    return { first: Number(first), count: Number(count) };
  });
  return (id) =>
    single.has(id) || ranges.some(({ first, count }) => id >= first && id < first + count);
}

function lines(path: string): readonly string[] {
  try {
    return readFileSync(path, "utf8")
      .split("\n")
      .filter((line) => line.trim() !== "");
  } catch {
    return [];
  }
}
