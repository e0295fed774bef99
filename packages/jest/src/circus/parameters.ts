import { FIXTURE_NAMES } from "../fixture-names.ts";
import type { TestFunction } from "./circus.ts";
import { bareText, closingOf, openingOf, splitAtCommas } from "./source-text.ts";

/** What a test or hook asks for in the parameter that is meant for fixtures. */
export type Wanted =
  /** No such parameter, or one that is Jest's `done`. */
  | { readonly kind: "nothing" }
  | { readonly kind: "named"; readonly names: readonly string[] }
  /** Fixtures for sure, but a transpiler has hidden which, or all of them are handed on. */
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

/** Most functions of most files take nothing: those need not be read any further. */
const NO_PARAMETER = /^(?:async\b\s*)?(?:function\b\s*\*?\s*[\w$]*\s*)?\(\s*\)/;

const NAME = "[\\p{ID_Start}$_][\\p{ID_Continue}$]*";
const ARROW_OF_ONE = new RegExp(`^(?:async\\s+)?(${NAME})\\s*=>`, "u");
const ONE_NAME = new RegExp(`^(${NAME})\\s*(?:=|$)`, "u");

/** What transpilers call a parameter whose pattern they have moved into the body. */
const GENERATED_NAME = /^(?:_.*|param)$/;

/**
 * The begin of a body that TypeScript, esbuild, SWC or Babel have made of an async function for
 * targets without them. Not anywhere in the body: a function that calls `done` may hold others.
 */
const REWRITTEN_ASYNC =
  /^\s*(?:=>\s*)?(?:\{\s*)?(?:""\s*;\s*|(?:var|let|const)\b[^;{}]*;\s*|cov_\w+\(\)[^;{}]*;\s*)*(?:return\s+)?\(?(?:0\s*,\s*)?(?:[\w$]+\.)*(?:__awaiter|__async|_?async_?to_?generator\w*)(?:\.\w+)?\)?\s*\(/i;

/** Babel and SWC: what the name stands for is a closure that nobody can look into. */
const CLOSURE =
  /^(?:async\s+)?function\s*[\w$]*\s*\([^)]*\)\s*\{\s*return\s+_[\w$]*\.apply\(this,\s*arguments\);?\s*\}$/;

/** A function that was bound, or a proxy of one. */
const NATIVE = /\{\s*\[native code\]\s*\}$/;

/**
 * Reads from a function's source which fixtures it takes, also where TypeScript, Babel or SWC have
 * rewritten it for older targets. Jest takes a function with a parameter for one that calls `done`;
 * one that is async cannot be such a one, because Jest fails it.
 */
export function wantedFixtures(
  fn: TestFunction,
  { before = 0, explicit = false }: ReadOptions = {},
): Wanted {
  const original = Function.prototype.toString.call(fn);
  if (NATIVE.test(original)) return explicit && fn.length > before ? UNREADABLE : NOTHING;
  if (NO_PARAMETER.test(original)) return NOTHING;
  const source = bareText(original);
  const { list, body } = parametersOf(source);
  const parameter = list[before];
  if (parameter === undefined || list.length !== before + 1) return NOTHING;
  if (parameter.startsWith("...")) return NOTHING;
  if (parameter.startsWith("{")) return named(patternNames(parameter));

  const rewritten = REWRITTEN_ASYNC.exec(body);
  const isCertain =
    (explicit && parameter !== "done") ||
    rewritten !== null ||
    CLOSURE.test(source) ||
    Object.prototype.toString.call(fn) === "[object AsyncFunction]";
  const unclear = isCertain ? UNREADABLE : NOTHING;
  if (rewritten !== null) {
    const inner = innerFunction(body.slice(rewritten[0].length));
    const last = inner?.list.at(-1);
    if (inner !== undefined && last !== undefined) {
      if (last.startsWith("{")) return named(patternNames(last));
      return usedOf(last, inner.body) ?? unclear;
    }
  }
  return usedOf(parameter, body) ?? unclear;
}

function named(names: readonly string[]): Wanted {
  return { kind: "named", names: [...new Set(names)] };
}

interface Parameters {
  readonly list: readonly string[];
  readonly body: string;
}

function parametersOf(source: string): Parameters {
  const arrow = ARROW_OF_ONE.exec(source);
  if (arrow !== null) return { list: [arrow[1] ?? ""], body: source.slice(arrow[0].length - 2) };
  let open = 0;
  while (open < source.length && source[open] !== "(") {
    // The name of a method may be computed.
    if (source[open] === "[") open = Math.max(open, closingOf(source, open));
    open += 1;
  }
  const close = closingOf(source, open);
  if (close < 0) return { list: [], body: "" };
  return { list: splitAtCommas(source.slice(open + 1, close)), body: source.slice(close + 1) };
}

/** The names on the left of `{ sandbox, run: theRun, "session": other }`. */
function patternNames(pattern: string): readonly string[] {
  const inside = pattern.slice(1, closingOf(pattern, 0));
  return splitAtCommas(inside).map((each) =>
    each.startsWith("...") ? each : (each.split(/[:=]/)[0] ?? "").trim().replaceAll(/^"|"$/g, ""),
  );
}

/** The function that was async, in what its rewritten form calls. */
function innerFunction(call: string): Parameters | undefined {
  const at = call.search(/function\s*\*?\s*[\w$]*\s*\(/);
  return at < 0 ? undefined : parametersOf(call.slice(at));
}

/** What a body takes of a parameter without a pattern; undefined when no fixture is among it. */
function usedOf(parameter: string, body: string): Wanted | undefined {
  const name = ONE_NAME.exec(parameter)?.[1];
  if (name === undefined) return undefined;
  const uses = usesOf(name, body);
  const names = uses.flatMap((use) => (use.kind === "whole" ? [] : use.names));
  const fixtures = names.filter((each) => FIXTURE_NAMES.includes(each));
  const isPattern =
    GENERATED_NAME.test(name) && uses.length > 0 && uses.every(({ kind }) => kind === "unpacked");
  // Then a name that is no fixture is a mistake in the user's pattern, which is worth a message.
  if (isPattern) return named(names);
  if (fixtures.length === 0) return undefined;
  return uses.some(({ kind }) => kind === "whole") ? UNREADABLE : named(fixtures);
}

type Use =
  /** `{ sandbox } = _ref`, `sandbox = _ref.sandbox`: as transpilers write a pattern. */
  | { readonly kind: "unpacked"; readonly names: readonly string[] }
  /** `context.sandbox` */
  | { readonly kind: "property"; readonly names: readonly string[] }
  /** Handed on: nobody can tell what is taken of it. */
  | { readonly kind: "whole" };

function usesOf(name: string, body: string): readonly Use[] {
  const escaped = name.replaceAll("$", "\\$");
  const pattern = new RegExp(`(?<![\\p{ID_Continue}$.])${escaped}(?![\\p{ID_Continue}$])`, "gu");
  return [...body.matchAll(pattern)].map(({ index }) => {
    const before = body.slice(0, index).trimEnd();
    const property = /^\s*\??\.\s*([\w$]+)/.exec(body.slice(index + name.length))?.[1];
    if (property === undefined) {
      if (!/\}\s*=$/.test(before)) return { kind: "whole" };
      const open = openingOf(before, before.lastIndexOf("}"));
      return { kind: "unpacked", names: patternNames(before.slice(open)) };
    }
    const variable = /([\w$]+)\s*=$/.exec(before)?.[1];
    const isUnpacked =
      variable !== undefined &&
      (variable === property || FIXTURE_NAMES.includes(property) || variable.startsWith("_"));
    return { kind: isUnpacked ? "unpacked" : "property", names: [property] };
  });
}
