import type { OutputFilter } from "../../spawner/output-pipe.ts";

/** What the waiting shell is called in its own messages. */
export const SHELL_NAME = "tidybox-shell";

/** Who becomes the command says so when it cannot, in words of its own. */
const LEADERS = {
  setpriv: {
    name: "setpriv: ",
    says: (program: string) => `setpriv: failed to execute ${program}: `,
  },
  setsid: {
    name: "setsid: ",
    says: (program: string) => `setsid: failed to execute ${program}: `,
  },
  shell: {
    name: `${SHELL_NAME}: `,
    says: (program: string) => `${SHELL_NAME}: 1: exec: ${program}: `,
  },
} as const;

const NEW_LINE = "\n".charCodeAt(0);

/**
 * Reads along in a command's stderr for the words with which its leader says that it could not
 * execute it, and takes the leader out of them: users know nothing of it, and see what a shell would
 * say. A command that ran is let through untouched: its own words would have to name itself like this.
 */
export class LaunchFailure implements OutputFilter {
  readonly #program: string;
  readonly #name: string;
  readonly #expected: Buffer;
  #held = Buffer.alloc(0);
  #state: "looking" | "found" | "passing" = "looking";
  #text = "";

  constructor(program: string, leader: keyof typeof LEADERS = "setpriv") {
    const { name, says } = LEADERS[leader];
    this.#program = program;
    this.#name = name;
    this.#expected = Buffer.from(says(program));
  }

  /** `nope: No such file or directory`, once it was read; undefined for a command that ran. */
  get reason(): string | undefined {
    return this.#text === "" ? undefined : this.#text.trimEnd();
  }

  push(chunk: Buffer): Buffer {
    if (this.#state === "passing") return chunk;
    const seen = Buffer.concat([this.#held, chunk]);
    this.#held = Buffer.alloc(0);
    if (this.#state === "looking") {
      const begins = seen.subarray(0, this.#expected.length).equals(this.#expected);
      // It says it in several pieces, the first of which is its whole name.
      const mayCome =
        seen.length >= this.#name.length && this.#expected.subarray(0, seen.length).equals(seen);
      if (!begins && !mayCome) {
        this.#state = "passing";
        return seen;
      }
      if (begins) this.#state = "found";
    }
    if (this.#state === "found" && seen.includes(NEW_LINE)) return this.#translated(seen);
    this.#held = seen;
    return Buffer.alloc(0);
  }

  end(): Buffer {
    const held = this.#held;
    this.#held = Buffer.alloc(0);
    return this.#state === "found" ? this.#translated(held) : held;
  }

  #translated(said: Buffer): Buffer {
    if (said.length === 0) return said;
    this.#state = "passing";
    const rest = said.subarray(this.#expected.length).toString("utf8");
    // As execvp says it: whoever reads it must not see which of the two it was.
    const reason = rest.replace(/^not found(?=\n|$)/, "No such file or directory");
    this.#text = `${this.#program}: ${reason}`;
    return Buffer.from(this.#text);
  }
}
