/** What a file of `suites/` comes to, in every cell. */
export interface Suite {
  /** Of the file. */
  readonly name: string;
  readonly passed: number;
  /** Skipped: Jest calls it pending. */
  readonly skipped: number;
  readonly todo: number;
  /** The tests that fail as they must, and what Jest then shows of each. */
  readonly failed: Readonly<Record<string, RegExp>>;
  /** Sandboxes that its tests ask for, one for each attempt. */
  readonly sandboxes: number;
  /**
   * More of them where a transpiler hides which fixtures an async function takes: it is given all.
   * Default 0.
   */
  readonly more?: number;
}

const NONE = {};

export const SUITES: readonly Suite[] = [
  { name: "variants", passed: 19, skipped: 16, todo: 2, failed: NONE, sandboxes: 10 },
  { name: "parameters", passed: 17, skipped: 0, todo: 0, failed: NONE, sandboxes: 15, more: 3 },
  { name: "each", passed: 19, skipped: 3, todo: 0, failed: NONE, sandboxes: 13, more: 1 },
  { name: "only", passed: 15, skipped: 1, todo: 0, failed: NONE, sandboxes: 8 },
  { name: "concurrent", passed: 10, skipped: 2, todo: 0, failed: NONE, sandboxes: 9 },
  { name: "hooks", passed: 14, skipped: 1, todo: 0, failed: NONE, sandboxes: 13 },
  { name: "retries", passed: 6, skipped: 0, todo: 0, failed: NONE, sandboxes: 7 },
  { name: "imported", passed: 19, skipped: 2, todo: 1, failed: NONE, sandboxes: 15, more: 1 },
  { name: "jest-globals", passed: 9, skipped: 1, todo: 0, failed: NONE, sandboxes: 6 },
  { name: "plain", passed: 13, skipped: 0, todo: 0, failed: NONE, sandboxes: 0 },
  {
    name: "failures",
    passed: 2,
    skipped: 0,
    todo: 0,
    failed: {
      "an assertion": /something else[^]*hi[^]*failures\.test/,
      "an assertion that is not awaited for": /something else[^]*Received[^]*failures\.test/,
      "a command that fails": /it exited with 3\nstdout:\n {2}shown[^]*failures\.test/,
      "an exit code": /to exit with 4; it exited with 0/,
      "a print": /to print "awaited"[^]* {2}printed/,
      "a file": /to have the file \/workspace\/missing, which is not there/,
      "a timeout": /Exceeded timeout of 1000 ms/,
      "done with an error": /given to done[^]*failures\.test/,
      "done that is not called": /Exceeded timeout of 200 ms/,
      "a row that takes too long: a": /Exceeded timeout of 1000 ms/,
      "done of an async test": /done is not a function/,
      "failing that passes": /Failing test passed/,
      "a row: bad": /it exited with 1/,
      "a hook that fails": /it exited with 5\nstdout:\n {2}by the hook/,
      "a hook after that fails": /its own error[^]*thrown after string/,
      "a hook around all tests that asks for a sandbox": /sandbox[^]*beforeEach/,
      "a name that is no fixture of an async test": /sandbx|of undefined \(reading 'exec'\)/,
    },
    // One of them for the async test that calls its parameter done: it cannot be Jest's.
    sandboxes: 15,
    more: 1,
  },
];
