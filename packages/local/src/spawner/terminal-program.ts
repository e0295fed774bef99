import { createRequire } from "node:module";
import { join } from "node:path";
import type { Identity } from "../privileges/identity.ts";
import { programFile } from "../program-file.ts";
import { readableCopy } from "./readable-copy.ts";

/** The files that a process which holds a terminal is made of. */
export interface TerminalProgram {
  readonly main: string;
  readonly native: string;
}

/** Or why there is none on this machine: all else works without. */
export type TerminalSupport = TerminalProgram | { readonly missing: string };

/**
 * Finds them, and copies them into `folder` where the account that the service becomes could not
 * read them. Call while this process is still whoever started it.
 */
export function prepareTerminals(folder: string, identity: Identity | undefined): TerminalSupport {
  try {
    const found = { main: programFile("terminal-main"), native: findNative() };
    const reachable = (file: string): string =>
      readableCopy(file, join(folder, "terminal"), identity);
    return { main: reachable(found.main), native: reachable(found.native) };
  } catch (error) {
    return { missing: error instanceof Error ? (error.message.split("\n")[0] ?? "") : "unknown" };
  }
}

/**
 * The addon alone, and not the package around it: that reads ahead without bound, and throws away
 * what is unread 200 ms after the end.
 */
function findNative(): string {
  const own = createRequire(programFile("terminal-main"));
  const { resolve } = createRequire(own.resolve("@lydell/node-pty/package.json"));
  return resolve(`@lydell/node-pty-${process.platform}-${process.arch}/pty.node`);
}
