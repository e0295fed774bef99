import { FIXTURE_NAMES } from "../fixture-names.ts";
import type { TestFunction } from "./circus.ts";

/** What a test or hook asks for in the parameter that is meant for fixtures. */
export type Wanted =
  /** No such parameter, or one that is Jest's `done`. */
  | { readonly kind: "nothing" }
  | { readonly kind: "named"; readonly names: readonly string[] }
  /** Fixtures for sure, but a transpiler has hidden which. */
  | { readonly kind: "unreadable" };

export interface ReadOptions {
  /** Parameters before it: the arguments of the case in a `test.each`. Default 0. */
  readonly before?: number;
  /**
   * It came through the exported `test`, whose functions take fixtures, or a parameter that is called
   * `done`. Default false.
   */
  readonly explicit?: boolean;
}

const NOTHING: Wanted = { kind: "nothing" };
const UNREADABLE: Wanted = { kind: "unreadable" };

/** The call of a helper, which may be a member of an imported module, and the function it is given. */
const INNER =
  /(?:__(?:awaiter|async)|_async_?to_?generator\d*)(?:\.\w+\)?)?\([^]*?function\s*\*?\s*\w*\s*(\([^]*)/i;

/** How far into a body transpilers put what they made of a parameter's pattern. */
const PREAMBLE_CHARACTERS = 400;

/**
 * Reads from a function's source which fixtures it takes, also where TypeScript, Babel or SWC have
 * rewritten it for older targets. Jest takes a function with a parameter for one that calls `done`;
 * one that is async cannot be such a one, because Jest fails it.
 */
export function wantedFixtures(
  fn: TestFunction,
  { before = 0, explicit = false }: ReadOptions = {},
): Wanted {
  const source = withoutComments(Function.prototype.toString.call(fn));
  const { list, body } = parametersOf(source);
  const parameter = list[before];
  if (parameter === undefined || list.length !== before + 1) return NOTHING;
  if (parameter.startsWith("...")) return NOTHING;
  if (parameter.startsWith("{")) return named(patternNames(parameter));
  const inner = innerFunction(body);
  if (inner !== undefined) {
    const last = inner.list.at(-1) ?? "";
    if (last.startsWith("{")) return named(patternNames(last));
    const names = unpacked(inner.body, last);
    if (names !== undefined) return named(names);
  }
  const names = unpacked(body, parameter);
  if (names !== undefined) return named(names);
  if (isAsync(fn, source)) return UNREADABLE;
  return explicit && parameter !== "done" ? UNREADABLE : NOTHING;
}

function named(names: readonly string[]): Wanted {
  return { kind: "named", names };
}

function withoutComments(source: string): string {
  return source
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/(^|[^:'"`\\])\/\/[^\n]*/g, "$1")
    .trim();
}

interface Parameters {
  readonly list: readonly string[];
  readonly body: string;
}

function parametersOf(source: string): Parameters {
  const open = source.indexOf("(");
  const arrow = source.indexOf("=>");
  if (open < 0 || (arrow >= 0 && arrow < open)) {
    const only = source.slice(0, arrow).replace(/^async\b/, "");
    return { list: [only.trim()], body: source.slice(arrow) };
  }
  const close = closingOf(source, open);
  if (close < 0) return { list: [], body: "" };
  return { list: split(source.slice(open + 1, close)), body: source.slice(close + 1) };
}

/** Where the bracket at `open` is closed; -1 when it never is. */
function closingOf(text: string, open: number): number {
  let depth = 0;
  for (let at = open; at < text.length; at += 1) {
    const character = text[at] ?? "";
    if ("([{".includes(character)) depth += 1;
    else if (")]}".includes(character) && (depth -= 1) === 0) return at;
  }
  return -1;
}

/** At the commas of the outermost level. */
function split(text: string): readonly string[] {
  const parts: string[] = [];
  let part = "";
  let depth = 0;
  let quote = "";
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at] ?? "";
    if (quote !== "") {
      part += character;
      if (character === "\\") part += text[(at += 1)] ?? "";
      else if (character === quote) quote = "";
      continue;
    }
    if (`"'\``.includes(character)) quote = character;
    else if ("([{".includes(character)) depth += 1;
    else if (")]}".includes(character)) depth -= 1;
    else if (character === "," && depth === 0) {
      parts.push(part.trim());
      part = "";
      continue;
    }
    part += character;
  }
  if (part.trim() !== "") parts.push(part.trim());
  return parts;
}

/** The names on the left of `{ sandbox, run: theRun, session = other }`. */
function patternNames(pattern: string): readonly string[] {
  const inside = pattern.slice(1, closingOf(pattern, 0));
  return split(inside).map((each) =>
    each.startsWith("...") ? each : (each.split(/[:=]/)[0] ?? "").trim(),
  );
}

/** What TypeScript, esbuild and SWC make of an async function for targets without them. */
function innerFunction(body: string): Parameters | undefined {
  const found = INNER.exec(body);
  return found === null ? undefined : parametersOf(`function${found[1]}`);
}

/**
 * The names that the body takes from `parameter` first of all, as `var sandbox = _ref.sandbox`.
 * Undefined unless a fixture is among them, or all of it looks like a pattern that was rewritten.
 */
function unpacked(body: string, parameter: string): readonly string[] | undefined {
  if (!/^[\w$]+$/.test(parameter)) return undefined;
  const taken = [
    ...body.slice(0, PREAMBLE_CHARACTERS).matchAll(/([\w$]+)\s*=\s*([\w$]+)\.([\w$]+)/g),
  ].filter(([, , from]) => from === parameter);
  const names = taken.map(([, , , name]) => name ?? "");
  if (names.some((name) => FIXTURE_NAMES.includes(name))) return names;
  const isGenerated = /^(?:_.*|param)$/.test(parameter);
  const isRewritten = taken.every(([, variable, , name]) => variable === name);
  return isGenerated && taken.length > 0 && isRewritten ? names : undefined;
}

function isAsync(fn: TestFunction, source: string): boolean {
  return (
    Object.prototype.toString.call(fn) === "[object AsyncFunction]" ||
    /__awaiter\(|__async\(|_?async_?to_?generator/i.test(source) ||
    // Babel: what the name stands for is a closure that nobody can look into.
    /^function\s*\w*\s*\([^)]*\)\s*\{\s*return\s+_\w+\.apply\(this,\s*arguments\);?\s*\}$/.test(
      source,
    )
  );
}
