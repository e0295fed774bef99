import { randomUUID } from "node:crypto";
import {
  accessSync,
  chownSync,
  constants,
  linkSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { LocalServiceError } from "../error.ts";
import { type Identity, isUnusedIdentity } from "../privileges/identity.ts";
import { OWNER_FILE, readOwner } from "./owner.ts";
import { livenessOf, thisProcess } from "./process-identity.ts";

const OTHERS = 0o077;

/** What a service keeps when it ends: a private folder that one service at a time may use. */
export class DataFolder {
  readonly path: string;
  #taken = false;

  private constructor(path: string) {
    this.path = path;
  }

  /** Makes it when it is not there. Must be called as whoever starts the service. */
  static open(path: string): DataFolder {
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 });
      const real = realpathSync(resolve(path));
      if (!statSync(real).isDirectory()) throw new Error("it is no directory");
      if ((statSync(real).mode & OTHERS) !== 0)
        throw wrong(path, `must be private: chmod 700 ${path}`);
      return new DataFolder(real);
    } catch (error) {
      if (error instanceof LocalServiceError) throw error;
      throw wrong(path, `cannot be used: ${error instanceof Error ? error.message : ""}`);
    }
  }

  /**
   * The account that a service of root has become before, and has to become again to read what it
   * wrote; undefined for a new folder.
   */
  get identity(): Identity | undefined {
    const { uid, gid } = statSync(this.path);
    return isUnusedIdentity({ uid, gid }) ? { uid, gid } : undefined;
  }

  /** Gives a new folder to the account that the service is about to become. */
  giveTo(identity: Identity): void {
    const { uid } = statSync(this.path);
    if (uid === identity.uid) return;
    if (uid !== 0 || readdirSync(this.path).length > 0) {
      throw wrong(
        this.path,
        "belongs to another account, and the service gives root up: name a folder that is not there yet, start the service as its owner, or pass keepRoot",
      );
    }
    chownSync(this.path, identity.uid, identity.gid);
  }

  /** From now on it is this service's alone. Must be called as the account that uses it. */
  async take(): Promise<void> {
    const { uid } = statSync(this.path);
    if (uid !== (process.getuid?.() ?? uid)) throw wrong(this.path, "belongs to another account");
    try {
      accessSync(this.path, constants.R_OK | constants.W_OK | constants.X_OK);
    } catch {
      throw wrong(
        this.path,
        "cannot be reached by the service's account: name one below a folder that others may enter",
      );
    }
    const mine = join(this.path, `${OWNER_FILE}.${randomUUID()}`);
    const lock = join(this.path, OWNER_FILE);
    writeFileSync(mine, JSON.stringify(thisProcess()), { mode: 0o600, flag: "wx" });
    try {
      if (link(mine, lock)) return this.#hold();
      const owner = await readOwner(this.path);
      const liveness = owner === undefined ? "gone" : livenessOf(owner);
      if (liveness === "gone") {
        // Of several who see it gone one moves it away, and one of all then links its own.
        const stale = `${mine}.stale`;
        renameSync(lock, stale);
        rmSync(stale);
        if (link(mine, lock)) return this.#hold();
      }
      throw wrong(
        this.path,
        liveness === "unknown"
          ? `is in use by a service that cannot be seen from here; remove ${lock} when there is none`
          : `is in use by another service (process ${owner?.pid ?? "unknown"})`,
      );
    } finally {
      rmSync(mine, { force: true });
    }
  }

  /** Safe to call twice. */
  close(): void {
    if (this.#taken) rmSync(join(this.path, OWNER_FILE), { force: true });
    this.#taken = false;
  }

  #hold(): void {
    this.#taken = true;
  }
}

function link(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function wrong(path: string, what: string): LocalServiceError {
  return new LocalServiceError(
    "local_option_invalid",
    `local service: option dataFolder: ${path} ${what}`,
  );
}
