import type { ExecResult, Sandbox } from "@tidybox/client";
import { printable } from "@tidybox/fixtures/printable";

interface MatcherResult {
  readonly pass: boolean;
  readonly message: () => string;
}

const SHOWN_CHARACTERS = 2000;

/** Text that must be part of what was printed, or a pattern that must match it. */
export type Printed = string | RegExp;

declare global {
  // Vitest's own `Matchers` and `Assertion` have other type parameters in each major version, and a
  // declaration must repeat them exactly. What they are all built on has none.
  namespace Chai {
    interface Assertion {
      /** The command ended with exit code 0. */
      toSucceed(): void;
      /** The command ended with that exit code; 128 + n when signal n ended it. */
      toExitWith(exitCode: number): void;
      /** The command printed that text or something that matches the pattern, on either stream. */
      toPrint(expected: Printed): void;
      /** The sandbox has that file, with that content (or content that matches) where one is given. */
      toHaveFile(path: string, content?: Printed): Promise<void>;
    }
  }
}

export const matchers = {
  /** The command ended with exit code 0. */
  toSucceed(received: unknown): MatcherResult {
    const result = execResult(received, "toSucceed");
    return verdict(result.exitCode === 0, "to exit with 0", result);
  },

  /** The command ended with that exit code; 128 + n when signal n ended it. */
  toExitWith(received: unknown, exitCode: number): MatcherResult {
    const result = execResult(received, "toExitWith");
    return verdict(result.exitCode === exitCode, `to exit with ${exitCode}`, result);
  },

  /** The command printed that text or something that matches the pattern, on either stream. */
  toPrint(received: unknown, expected: Printed): MatcherResult {
    const result = execResult(received, "toPrint");
    const found = [result.stdout, result.stderr].some((text) => matches(text, expected));
    return verdict(found, `to print ${show(expected)}`, result);
  },

  /** The sandbox has that file, with that content (or content that matches) where one is given. */
  async toHaveFile(received: unknown, path: string, content?: Printed): Promise<MatcherResult> {
    const sandbox = sandboxOf(received);
    let actual: string;
    try {
      actual = await sandbox.readTextFile(path);
    } catch (error) {
      if (!isMissingFile(error)) throw error;
      return {
        pass: false,
        message: () => `expected the sandbox to have the file ${path}, which is not there`,
      };
    }
    const pass =
      content === undefined ||
      (typeof content === "string" ? actual === content : content.test(actual));
    const wanted = content === undefined ? "" : ` with ${show(content)}`;
    return {
      pass,
      message: () =>
        `expected the sandbox ${pass ? "not " : ""}to have the file ${path}${wanted}; it holds:\n${indent(actual)}`,
    };
  },
};

function verdict(pass: boolean, wanted: string, result: ExecResult): MatcherResult {
  return {
    pass,
    message: () =>
      [
        `expected ${JSON.stringify(result.command)} ${pass ? "not " : ""}${wanted}; it exited with ${result.exitCode}`,
        `stdout${cut(result, "stdout")}:\n${indent(result.stdout)}`,
        `stderr${cut(result, "stderr")}:\n${indent(result.stderr)}`,
      ].join("\n"),
  };
}

function cut(result: ExecResult, name: "stdout" | "stderr"): string {
  if (!result[`${name}Truncated`]) return "";
  return ` (cut by maxOutputBytes: ${result[`${name}BytesProduced`]} bytes in all)`;
}

function matches(text: string, expected: Printed): boolean {
  return typeof expected === "string" ? text.includes(expected) : expected.test(text);
}

function show(expected: Printed): string {
  return typeof expected === "string" ? JSON.stringify(expected) : String(expected);
}

function indent(text: string): string {
  if (text === "") return "  (nothing)";
  const before =
    text.length > SHOWN_CHARACTERS ? `… ${text.length - SHOWN_CHARACTERS} characters before\n` : "";
  return (before + text.slice(-SHOWN_CHARACTERS))
    .split("\n")
    .map((line) => `  ${printable(line)}`)
    .join("\n");
}

function execResult(received: unknown, matcher: string): ExecResult {
  if (
    typeof received === "object" &&
    received !== null &&
    "exitCode" in received &&
    "stdout" in received
  ) {
    return received as ExecResult;
  }
  const promise = received instanceof Promise ? " It is a promise: await it first." : "";
  throw new TypeError(`${matcher}() expects the result of sandbox.exec().${promise}`);
}

function sandboxOf(received: unknown): Sandbox {
  const sandbox = received as Partial<Sandbox> | null | undefined;
  if (typeof sandbox?.readTextFile === "function") return sandbox as Sandbox;
  throw new TypeError("toHaveFile() expects a sandbox.");
}

function isMissingFile(error: unknown): boolean {
  return error instanceof Error && "reason" in error && error.reason === "CWSANDBOX_FILE_NOT_FOUND";
}
