import { randomUUID } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { NoticeListener } from "../../notice.ts";

const SUFFIX = ".json";

/** One JSON file for each record, written whole or not at all. */
export class RecordFolder {
  readonly #folder: string;
  readonly #onNotice: NoticeListener;

  /** Made when it is not there. */
  constructor(folder: string, onNotice: NoticeListener) {
    this.#folder = folder;
    this.#onNotice = onNotice;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /**
   * All records that `read` can read. One that it throws at is set aside and told of: a damaged
   * record never stops a start.
   */
  load<T>(read: (name: string, value: unknown) => T): readonly T[] {
    const found: T[] = [];
    for (const file of readdirSync(this.#folder).toSorted()) {
      const path = join(this.#folder, file);
      // What a write that came to no end has left.
      if (file.endsWith(".part")) rmSync(path, { force: true });
      if (!file.endsWith(SUFFIX)) continue;
      try {
        const value: unknown = JSON.parse(readFileSync(path, "utf8"));
        found.push(read(file.slice(0, -SUFFIX.length), value));
      } catch (error) {
        renameSync(path, `${path}.damaged`);
        const why = error instanceof Error ? error.message : String(error);
        this.#onNotice({
          code: "record_unreadable",
          message: `${path} cannot be read and was set aside as ${file}.damaged: ${why}`,
        });
      }
    }
    return found;
  }

  write(name: string, value: unknown): void {
    const part = join(this.#folder, `${name}-${randomUUID()}.part`);
    try {
      const file = openSync(part, "wx", 0o600);
      try {
        writeSync(file, JSON.stringify(value));
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(part, join(this.#folder, `${name}${SUFFIX}`));
    } catch (error) {
      rmSync(part, { force: true });
      throw error;
    }
  }

  remove(name: string): void {
    rmSync(join(this.#folder, `${name}${SUFFIX}`), { force: true });
  }
}
