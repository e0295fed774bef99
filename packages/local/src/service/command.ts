import { invalidArgument, type Violation } from "./failures.ts";

/** Linux takes no longer word, its final NUL included (MAX_ARG_STRLEN). */
const MAX_WORD_BYTES = 128 * 1024;

/** Of all words and variables: a quarter of the usual stack, less what leads to the command. */
const MAX_ALL_BYTES = 2 * 1024 * 1024 - 64 * 1024;

const POINTER_BYTES = 8;

/** Refuses what no kernel would run. `prefix` is the request's field that holds the command. */
export function checkCommand(
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
  prefix: string,
): void {
  const found: Violation[] = [];
  if ((command[0] ?? "").trim() === "") {
    found.push({
      field: `${prefix}command`,
      description: "must have at least one word, the first not blank",
    });
  }
  if (command.some((word) => word.includes("\0"))) {
    found.push({ field: `${prefix}command`, description: "must not contain a NUL character" });
  }
  for (const [name, value] of Object.entries(environment)) {
    if (name !== "" && !/[=\0]/.test(name) && !value.includes("\0")) continue;
    found.push({
      field: `${prefix}env`,
      description: `has a name or value that no process can have: ${JSON.stringify(name)}`,
    });
  }
  found.push(...tooLong(command, environment, prefix));
  if (found.length > 0) throw invalidArgument(found);
}

function tooLong(
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
  prefix: string,
): readonly Violation[] {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const sizes = (words: readonly string[]): number[] =>
    words.map((word) => Buffer.byteLength(word) + 1);
  for (const [field, words] of [
    ["command", command],
    ["env", variables],
  ] as const) {
    const size = sizes(words).find((each) => each > MAX_WORD_BYTES);
    if (size === undefined) continue;
    const what = field === "command" ? "a word" : "a variable";
    const description = `has ${what} of ${size - 1} bytes, and no process can have one of more than ${MAX_WORD_BYTES - 1}: write it to a file or send it as input`;
    return [{ field: `${prefix}${field}`, description }];
  }
  const all = sizes([...command, ...variables]).reduce(
    (sum, each) => sum + each + POINTER_BYTES,
    0,
  );
  if (all <= MAX_ALL_BYTES) return [];
  const description = `has ${all} bytes with all variables, and no process can have more than ${MAX_ALL_BYTES}: write some of it to a file or send it as input`;
  return [{ field: `${prefix}command`, description }];
}
