import type { OutputFilter } from "../../spawner/output-pipe.ts";

const NEW_LINE = "\n".charCodeAt(0);

/**
 * Reads along in a command's stderr for the words with which setpriv says that it could not execute
 * it, and takes setpriv out of them: users know nothing of it, and see what a shell would say. A
 * command that ran is let through untouched: its own words would have to name itself like this.
 */
export class LaunchFailure implements OutputFilter {
  readonly #program: string;
  readonly #launcher: Buffer;
  readonly #expected: Buffer;
  #held = Buffer.alloc(0);
  #state: "looking" | "found" | "passing" = "looking";
  #text = "";

  constructor(program: string, launcher = "setpriv") {
    this.#program = program;
    this.#launcher = Buffer.from(`${launcher}: `);
    this.#expected = Buffer.from(`${launcher}: failed to execute ${program}: `);
  }

  /** `nope: No such file or directory`, once it was read; undefined for a command that ran. */
  get reason(): string | undefined {
    return this.#text === "" ? undefined : this.#text.trimEnd();
  }

  push(chunk: Buffer): Buffer {
    if (this.#state !== "looking") return this.#pass(chunk);
    const seen = Buffer.concat([this.#held, chunk]);
    this.#held = Buffer.alloc(0);
    if (seen.subarray(0, this.#expected.length).equals(this.#expected)) {
      this.#state = "found";
      const said = seen.subarray(this.#expected.length);
      return this.#pass(Buffer.concat([Buffer.from(`${this.#program}: `), said]));
    }
    // It says it in several pieces, the first of which is its whole name.
    if (
      seen.length >= this.#launcher.length &&
      this.#expected.subarray(0, seen.length).equals(seen)
    ) {
      this.#held = seen;
      return Buffer.alloc(0);
    }
    this.#state = "passing";
    return seen;
  }

  end(): Buffer {
    return this.#held;
  }

  #pass(chunk: Buffer): Buffer {
    if (this.#state === "found") {
      this.#text += chunk.toString("utf8");
      if (chunk.includes(NEW_LINE)) this.#state = "passing";
    }
    return chunk;
  }
}
