import { relative, sep } from "node:path";
import type { Reporter, TestSpecification, Vitest } from "vitest/node";
import type { VitestRun } from "./runs.ts";

/**
 * Tells the run which files are about to run, at the start and at each rerun: a reporter, because
 * nobody else hears of them before the first test. It prints nothing, and stands behind the others.
 */
export function tellExpectedFiles(vitest: Vitest, run: VitestRun): void {
  const reporter: Reporter = {
    onTestRunStart(specifications) {
      // Nothing runs then.
      if (vitest.config.mergeReports !== undefined) return;
      const areFiltered = filtersTests(vitest) || specifications.some(selectsTests);
      const files = specifications.filter(
        ({ project, pool }) => run.projects.has(project.name) && pool !== "typescript",
      );
      // Not awaited: Vitest goes on meanwhile, and the global setup reports what fails.
      run.started.then(
        (started) => {
          if (areFiltered) started.testsAreFiltered();
          else started.expectTests(files.map(nameOf));
        },
        () => {},
      );
    },
  };
  vitest.config.reporters.push(reporter);
}

/** As the tests call it. */
function nameOf({ project, moduleId }: TestSpecification): string {
  return relative(project.config.root, moduleId).split(sep).join("/");
}

/** As Vitest 3.2 keeps what was typed in watch mode. */
interface Overridden {
  readonly configOverride?: { readonly testNamePattern?: RegExp };
}

/** By name or tag: then not all tests of the files run. */
function filtersTests(vitest: Vitest): boolean {
  const { config } = vitest;
  const typed = (vitest as Overridden).configOverride?.testNamePattern;
  const tags: readonly string[] = config.tagsFilter ?? [];
  return (typed ?? config.testNamePattern) !== undefined || tags.length > 0;
}

/** By line, as in `a.test.ts:12`, or from an editor. */
function selectsTests(specification: TestSpecification): boolean {
  // What Vitest 3.2 does not know is undefined there.
  const { testLines, testIds, testNames, testNamePattern, testTagsFilter } = specification;
  return (
    testNamePattern !== undefined ||
    [testLines, testIds, testNames, testTagsFilter].some((each) => (each?.length ?? 0) > 0)
  );
}
