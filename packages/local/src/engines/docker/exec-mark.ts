import { randomUUID } from "node:crypto";

/** More than the mark has; without it by then there is none. */
const MAX_BYTES = 200;

export interface Mark {
  /** In the container. */
  readonly pid: number;
  /** 126 or 127: it will not be executed. */
  readonly failedWith: number | undefined;
}

/**
 * Takes the line out of a command's output with which the shell before it says who it is. Nothing
 * can forge it: the token is new each time, and gone when the command runs.
 */
export class ExecMark {
  readonly token = randomUUID();
  /** Undefined when there was none, because nothing was executed. */
  readonly seen: Promise<Mark | undefined>;
  #resolve!: (mark: Mark | undefined) => void;
  #held: Buffer | undefined = Buffer.alloc(0);

  constructor() {
    this.seen = new Promise((resolve) => (this.#resolve = resolve));
  }

  get isOpen(): boolean {
    return this.#held !== undefined;
  }

  /** What of the chunk is behind the mark. */
  push(chunk: Buffer): Buffer {
    if (this.#held === undefined) return chunk;
    const text = Buffer.concat([this.#held, chunk]);
    const end = text.indexOf("\n");
    if (end === -1 && text.length <= MAX_BYTES) {
      this.#held = text;
      return Buffer.alloc(0);
    }
    this.#held = undefined;
    const [token, pid, code] = text.toString("latin1", 0, Math.max(0, end)).trim().split(" ");
    if (token !== this.token || !/^[1-9]\d*$/.test(pid ?? "")) {
      this.#resolve(undefined);
      return text;
    }
    this.#resolve({ pid: Number(pid), failedWith: code === undefined ? undefined : Number(code) });
    return text.subarray(end + 1);
  }

  /** No more comes; returns what was held back. */
  end(): Buffer {
    const held = this.#held ?? Buffer.alloc(0);
    this.#held = undefined;
    this.#resolve(undefined);
    return held;
  }
}
