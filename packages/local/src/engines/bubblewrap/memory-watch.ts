import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, statfsSync } from "node:fs";

const LOOK_MILLISECONDS = 100;

/**
 * All looks together take a tenth of the service's time at most: thousands of processes, or hundreds
 * of sandboxes with a limit, are looked at less often.
 */
const SHARE_OF_TIME = 10;

let open = 0;

/**
 * Looks ten times a second at what a sandbox has in memory, and says so when that is more than its
 * limit: without a cgroup of one's own nothing else can be done. It is approximate: what processes
 * share after a fork counts for each, files that are only cached do not count at all.
 */
export class MemoryWatch {
  readonly #root: string;
  readonly #limitBytes: number;
  readonly #onExceeded: (usedBytes: number) => void;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /** `root` is the sandbox's root, seen from the host. */
  constructor(root: string, limitBytes: number, onExceeded: (usedBytes: number) => void) {
    this.#root = root;
    this.#limitBytes = limitBytes;
    this.#onExceeded = onExceeded;
    open += 1;
    this.#lookIn(LOOK_MILLISECONDS);
  }

  /** Safe to call twice. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    open -= 1;
    clearTimeout(this.#timer);
  }

  #lookIn(milliseconds: number): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => this.#look(), milliseconds).unref();
  }

  #look(): void {
    const began = performance.now();
    const used = usedBytes(this.#root);
    if (used > this.#limitBytes) {
      this.close();
      return this.#onExceeded(used);
    }
    const took = performance.now() - began;
    this.#lookIn(Math.max(LOOK_MILLISECONDS, took * SHARE_OF_TIME * open));
  }
}

/** Each process's own pages; of what can be shared, only the most that is there for certain. */
function usedBytes(root: string): number {
  let ownPages = 0;
  let sharedPages = 0;
  for (const pid of processesOf(root)) {
    const [, resident = 0, shared = 0] = statm(`${root}/proc/${pid}/statm`);
    ownPages += resident - shared;
    sharedPages = Math.max(sharedPages, shared);
  }
  return ownPages * pageSize() + Math.max(sharedPages * pageSize(), sharedMemoryFiles(root));
}

function processesOf(root: string): readonly string[] {
  try {
    return readdirSync(`${root}/proc`).filter((name) => /^\d+$/.test(name));
  } catch {
    // It has ended.
    return [];
  }
}

function statm(path: string): readonly number[] {
  try {
    return readFileSync(path, "latin1").split(" ").map(Number);
  } catch {
    return [];
  }
}

/** In /dev/shm, which lies in memory. */
function sharedMemoryFiles(root: string): number {
  try {
    const { blocks, bfree, bsize } = statfsSync(`${root}/dev/shm`);
    return (blocks - bfree) * bsize;
  } catch {
    return 0;
  }
}

let knownPageSize: number | undefined;

function pageSize(): number {
  knownPageSize ??= readPageSize();
  return knownPageSize;
}

function readPageSize(): number {
  if (process.arch === "x64") return 4096;
  try {
    const said = execFileSync("getconf", ["PAGESIZE"], { encoding: "utf8", timeout: 2000 });
    return Number(said) || 4096;
  } catch {
    return 4096;
  }
}
