import { Script } from "node:vm";
import { describe, expect, test } from "vitest";
import type { TestFunction } from "./circus.ts";
import { type Wanted, wantedFixtures } from "./parameters.ts";

/** The function that a source text means, untouched by the transpiler of these tests. */
function compiled(source: string): TestFunction {
  return new Script(`(${source})`).runInThisContext() as TestFunction;
}

function wanted(source: string, before = 0, explicit = false): Wanted {
  return wantedFixtures(compiled(source), { before, explicit });
}

const NOTHING: Wanted = { kind: "nothing" };
const UNREADABLE: Wanted = { kind: "unreadable" };
const named = (...names: string[]): Wanted => ({ kind: "named", names });

/** `#` stands for the parameters before: none, `a, ` or `a, b, `. */
const BEFORE = ["", "a, ", "a, b, "];

describe.each(BEFORE.map((text, before) => ({ text, before })))(
  "after $before arguments of a case",
  ({ text, before }) => {
    test.each<[string, string, Wanted]>([
      ["an arrow", "async (#{ sandbox }) => {}", named("sandbox")],
      ["minified", "async(#{sandbox:e,run:t})=>{await e.exec(t)}", named("sandbox", "run")],
      ["a function", "async function (#{ sandbox, session }) {}", named("sandbox", "session")],
      ["one with a name", "async function named(#{ run }) {}", named("run")],
      ["a sync one", "(#{ run }) => run.id", named("run")],
      ["a generator", "function* (#{ sandbox }) { yield sandbox; }", named("sandbox")],
      ["an empty pattern", "async (#{}) => {}", named()],
      ["a default of the pattern", "async (#{ sandbox } = {}) => {}", named("sandbox")],
      ["defaults", "async (#{ sandbox = f({ a: [1] }, 2), run }) => {}", named("sandbox", "run")],
      ["renames", "async (#{ sandbox: box, session: s = 1 }) => {}", named("sandbox", "session")],
      [
        "nested patterns",
        "async (#{ sandbox: { id, files: [a1] }, run }) => {}",
        named("sandbox", "run"),
      ],
      ["a key in quotes", `async (#{ "sandbox": box, 'run': r }) => {}`, named("sandbox", "run")],
      ["a trailing comma", "async (#{ sandbox, },) => {}", named("sandbox")],
      [
        "comments",
        "async (#/* { run } */ { sandbox, // ) run }\n createSandbox }) => {}",
        named("sandbox", "createSandbox"),
      ],
      [
        "brackets in strings",
        'async (#{ sandbox = \')}\', run = "{(\\"" }) => {}',
        named("sandbox", "run"),
      ],
      [
        "a comment's mark in a string",
        "async (#{ sandbox = 'a//b', run = '/*' }) => '*/'",
        named("sandbox", "run"),
      ],
      [
        "brackets in a template",
        "async (#{ sandbox = `})${[1, `}`].length}`, run }) => {}",
        named("sandbox", "run"),
      ],
      [
        "brackets in a regular expression",
        "async (#{ sandbox = /[/)}]\\)/u, run = 4 / 2 / 1 }) => {}",
        named("sandbox", "run"),
      ],
      ["what is no fixture, for a message", "async (#{ sandbx }) => {}", named("sandbx")],
      [
        "a rest in the pattern, for a message",
        "async (#{ run, ...others }) => {}",
        named("run", "...others"),
      ],

      ["done", "(#done) => { done(); }", NOTHING],
      ["cb of a function", "function (#cb) { setTimeout(cb, 1); }", NOTHING],
      [
        "done with an async callback in it, by Babel",
        "(#done) => { on(_asyncToGenerator(function* () { done(); })); }",
        NOTHING,
      ],
      [
        "done with an async callback in it, by TypeScript",
        "(#done) => { on(() => __awaiter(this, void 0, void 0, function* () { done(); })); }",
        NOTHING,
      ],
      [
        "done with a callback that looks like ours",
        "(#done) => { on((_a) => __awaiter(this, [_a], void 0, function* ({ session }) { done(); })); }",
        NOTHING,
      ],
      [
        "done that fails",
        "(#done) => { try { done(); } catch (error) { done.fail(error); } }",
        NOTHING,
      ],
      ["a rest", "async (#...args) => args", NOTHING],
      ["nothing more", "async (#) => {}", NOTHING],

      [
        "what an async one takes from a parameter without a pattern",
        "async (#t) => { const r = t.run; await t.sandbox.exec(r.id); }",
        named("run", "sandbox"),
      ],
      [
        "what is used far down",
        `async (#t) => { ${"0;".repeat(500)} t.session.close(); }`,
        named("session"),
      ],
      ["what is used in a template", "async (#t) => `${t.run.id}`", named("run")],
      [
        "a pattern in the body",
        "(#t) => { const { sandbox: s, run } = t; return s.exec(run.id); }",
        named("sandbox", "run"),
      ],
      ["a parameter that is handed on", "async (#t) => { t.run.id; await helper(t); }", UNREADABLE],
      ["an async one that uses nothing that we know", "async (#_) => {}", UNREADABLE],
    ])("reads %s", (_, source, expected) => {
      expect(wanted(source.replace("#", text), before)).toEqual(expected);
    });

    test.each<[string, string, Wanted]>([
      [
        "TypeScript, ES2015",
        "(#_a) => __awaiter(void 0, [#_a], void 0, function* (#{ sandbox }) { })",
        named("sandbox"),
      ],
      [
        "TypeScript, ES2015, before 5.5",
        "(#{ sandbox }) => __awaiter(void 0, void 0, void 0, function* () { })",
        named("sandbox"),
      ],
      [
        "TypeScript, ES2015, without a pattern",
        "(#t) => __awaiter(void 0, void 0, void 0, function* () { yield t.sandbox.exec(); })",
        named("sandbox"),
      ],
      [
        "TypeScript, importHelpers",
        "(#_a) => (0, tslib_1.__awaiter)(void 0, [#_a], void 0, function* (#{ sandbox }) { })",
        named("sandbox"),
      ],
      [
        "TypeScript, importHelpers before 4.4",
        "function (#_a) { return tslib_1.__awaiter(void 0, [#_a], void 0, function* (#{ run }) { }); }",
        named("run"),
      ],
      [
        "TypeScript, ES5",
        "function (#_a) { return __awaiter(void 0, [#_a], void 0, function (#_b) { var sandbox = _b.sandbox; return __generator(this, function (_c) { return [2]; }); }); }",
        named("sandbox"),
      ],
      [
        "TypeScript, ES5, defaults",
        "function (#_a) { return __awaiter(void 0, [#_a], void 0, function (#_b) { var _c = _b.sandbox, sandbox = _c === void 0 ? 1 : _c, r = _b.run; return __generator(this, function (_d) { return [2]; }); }); }",
        named("sandbox", "run"),
      ],
      [
        "TypeScript, ES5, sync",
        "function (#_a) { var sandbox = _a.sandbox; sandbox; }",
        named("sandbox"),
      ],
      [
        "esbuild, ES2015",
        "(#_0) => __async(null, [#_0], function* (#{ sandbox }) { })",
        named("sandbox"),
      ],
      ["SWC, ES2015", "(#{ sandbox })=>_async_to_generator(function*() {})()", named("sandbox")],
      [
        "SWC, ES2015, with the function inside",
        "function(#_) { return _async_to_generator(function*(#{ sandbox }) {}).apply(this, arguments); }",
        named("sandbox"),
      ],
      [
        "SWC, helpers imported",
        "function(#_) { return (0, _async_to_generator._)(function*(#{ run }) {}).apply(this, arguments); }",
        named("run"),
      ],
      ["SWC, ES5, sync", "function a(#param) { var sandbox = param.sandbox; }", named("sandbox")],
      [
        "SWC, ES5, async",
        "function a(#param) { var sandbox = param.sandbox; return _async_to_generator(function() {})(); }",
        named("sandbox"),
      ],
      [
        "Babel, parameters alone",
        "async (#_ref) => { let { sandbox, run: r } = _ref; r; }",
        named("sandbox", "run"),
      ],
      [
        "Babel, parameters alone, sync",
        "(#_ref) => { let { sandbox } = _ref; sandbox; }",
        named("sandbox"),
      ],
      [
        "Babel, ES5, sync",
        "function c(#_ref) { var sandbox = _ref.sandbox; sandbox; }",
        named("sandbox"),
      ],
      [
        "Babel, ES5, what is no fixture, for a message",
        "function c(#_ref) { var sandbx = _ref.sandbx; sandbx; }",
        named("sandbx"),
      ],
      ["Babel, ES5, async", "function (#_x) { return _ref2.apply(this, arguments); }", UNREADABLE],
      [
        "Babel, ES5, async with a name",
        "function a(#_x) { return _a.apply(this, arguments); }",
        UNREADABLE,
      ],
      [
        "istanbul over TypeScript",
        "(#_a) => { cov_1x2y().f[0]++; cov_1x2y().s[1]++; return __awaiter(void 0, [#_a], void 0, function* (#{ sandbox }) { }); }",
        named("sandbox"),
      ],
    ])("reads what is made by %s", (_, source, expected) => {
      expect(wanted(source.replaceAll("#", text), before)).toEqual(expected);
    });

    test("takes any parameter for fixtures that comes through the exported test", () => {
      expect(wanted(`(${text}t) => {}`, before, true)).toEqual(UNREADABLE);
      expect(wanted(`(${text}done) => {}`, before, true)).toEqual(NOTHING);
      expect(wanted(`(${text}t) => t.run.id`, before, true)).toEqual(named("run"));
      const bound = compiled(`async (${text}{ sandbox }) => sandbox`).bind(undefined);
      expect(wantedFixtures(bound, { before, explicit: true })).toEqual(UNREADABLE);
      expect(wantedFixtures(bound, { before })).toEqual(NOTHING);
    });
  },
);

test.each<[string, string, Wanted]>([
  ["without brackets", "async t => t.sandbox.exec()", named("sandbox")],
  ["minified without brackets", "t=>t.run.id", named("run")],
  ["whose parameter is called async", "async=>async.run", named("run")],
  ["of one done", "done => { (() => {})(); done(); }", NOTHING],
])("reads an arrow %s", (_, source, expected) => {
  expect(wanted(source)).toEqual(expected);
});

test.each([
  "{ async run({ sandbox }) {} }.run",
  "{ *run({ sandbox }) {} }.run",
  "{ async *run({ sandbox }) {} }.run",
  "{ async get({ sandbox }) {} }.get",
  "{ async ['a' + '(b)']({ sandbox }) {} }['a(b)']",
  "{ async [(() => 'x')()]({ sandbox }) {} }.x",
  "{ get run() { return async ({ sandbox }) => {}; } }.run",
  "(class { static async run({ sandbox }) {} }).run",
])("reads a method: %s", (source) => {
  expect(wanted(source)).toEqual(named("sandbox"));
});

/** As in PCG: the same seed draws the same functions. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

test.each(Array.from({ length: 50 }, (_, seed) => seed))(
  "reads the same through any noise (seed %i)",
  (seed) => {
    const draw = random(seed);
    const pick = (from: readonly string[]): string => from[draw(from.length)] ?? "";
    const noise = (): string => pick(["", " ", "\n", "/* , { ( */", "// } ) ,\n", "/* ' */", "\t"]);
    const value = (): string =>
      pick([
        "1",
        "')'",
        '"{"',
        "`,${[`}`, '`']}`",
        "/[(]}/g",
        "{ a: 1, b: [2] }",
        "(() => ({}))()",
        "4 / 2",
        "a / b",
      ]);
    const names = ["sandbox", "createSandbox", "session", "run"].filter(() => draw(2) === 1);
    const entries = names.map((name) =>
      pick([
        name,
        `${name}: x_${name}`,
        `${name} = ${value()}`,
        `"${name}": y_${name} = ${value()}`,
        `${name}: { z_${name} = ${value()} }`,
      ]),
    );
    const before = draw(3);
    const rows = Array.from({ length: before }, (_, at) =>
      pick([`p${at}`, `p${at} = ${value()}`, `{ q${at} }`, `[r${at}]`]),
    );
    const pattern = `{${entries.map((each) => `${noise()}${each}${noise()}`).join(",")}}`;
    const list = [...rows, pattern].map((each) => `${noise()}${each}${noise()}`).join(",");
    const source = pick([
      `async (${list}) => {}`,
      `async function (${list}) {}`,
      `(${list}) => (${value()})`,
    ]);
    expect(wanted(source, before), source).toEqual(named(...names));
  },
);
