import type { Reporter, TestCase } from "vitest/node";

/**
 * A Vitest reporter that says nothing itself: it carries the note of `context.skip("why")` into
 * the test's meta, which is what the JSON reporter writes out; see suite-report.ts.
 */
export default class SkipReasons implements Reporter {
  onTestCaseResult(test: TestCase): void {
    const result = test.result();
    if (result.state === "skipped" && result.note !== undefined) {
      Object.assign(test.meta(), { skipReason: result.note });
    }
  }
}
