import { describe, expect, inject, test } from "vitest";
import { makeProject } from "../support/bed.ts";
import { processesWith, until } from "../support/observer.ts";
import { runVitest } from "../support/runner.ts";

const EXTENDED = `
import { beforeEach, describe, expect, test } from "@tidybox/vitest";

const seen = new Set<string>();
const fresh = (id: string) => { expect(seen.has(id)).toBe(false); seen.add(id); };

test("runs a command", async ({ sandbox }) => {
  fresh(sandbox.id);
  const result = await sandbox.exec(["sh", "-c", "echo out; echo err >&2; exit 3"]);
  expect(result).toExitWith(3);
  expect(result).toPrint("out");
  expect(result).toPrint(/^err$/m);
  expect(result.stdout).toBe("out\\n");
  expect(result).not.toSucceed();
});

test("keeps files", async ({ sandbox }) => {
  fresh(sandbox.id);
  await sandbox.writeFile("/workspace/a/b.txt", "hello");
  await expect(sandbox).toHaveFile("/workspace/a/b.txt", "hello");
  await expect(sandbox).not.toHaveFile("/workspace/none.txt");
});

test("makes more of them", async ({ sandbox, createSandbox }) => {
  const other = await createSandbox({ environment: { WHO: "other" } });
  fresh(sandbox.id);
  fresh(other.id);
  expect((await other.exec(["sh", "-c", "echo $WHO"])).stdout).toBe("other\\n");
});

test("knows its run and session", async ({ run, session, sandbox }) => {
  expect(run.backend).toBe("local");
  expect(sandbox.tags).toContain("tidybox-run-" + run.id);
  expect(sandbox.tags).toContain("project-tag");
  const own = await session.list().toArray();
  expect(own.map(({ id }) => id)).toContain(sandbox.id);
});

test("does without", () => { expect(1).toBe(1); });

test.for([1, 2])("row %i", async (row, { sandbox }) => {
  fresh(sandbox.id);
  expect((await sandbox.exec(["echo", String(row)])).stdout).toBe(row + "\\n");
});

describe.concurrent("at once", () => {
  test("one", async ({ sandbox, expect }) => { fresh(sandbox.id); expect(await sandbox.exec(["true"])).toSucceed(); });
  test("two", async ({ sandbox, expect }) => { fresh(sandbox.id); expect(await sandbox.exec(["true"])).toSucceed(); });
});

describe("with options of its own", () => {
  const options = { sandboxOptions: { environment: { COLOUR: "green" } } };
  if ("override" in test) test.override(options);
  else (test as unknown as { scoped: (options: object) => void }).scoped(options);
  beforeEach(async ({ sandbox }) => { await sandbox.writeFile("/workspace/before", "here"); });
  test("sees them", async ({ sandbox }) => {
    expect((await sandbox.exec(["sh", "-c", "echo $COLOUR"])).stdout).toBe("green\\n");
    await expect(sandbox).toHaveFile("/workspace/before", "here");
  });
});
`;

const PLAIN = `
import { expect, test as own } from "vitest";
import "@tidybox/vitest";

own("Vitest's own test", async ({ sandbox, createSandbox }) => {
  expect(await sandbox.exec(["true"])).toSucceed();
  expect(sandbox.id).not.toBe((await createSandbox()).id);
});
own("a context that is not taken apart", async (context) => {
  expect(context.task.name).toContain("taken apart");
  expect(await context.sandbox.exec(["true"])).toSucceed();
});
own("without", () => {});
test("the global one", async ({ sandbox }) => { expect(await sandbox.exec(["true"])).toSucceed(); });
`;

const POOLS = [
  ["forks, isolated", []],
  ["forks, not isolated", ["--no-isolate"]],
  ["threads, isolated", ["--pool=threads"]],
  ["threads, not isolated", ["--pool=threads", "--no-isolate"]],
  ["vmThreads", ["--pool=vmThreads"]],
  ["vmForks", ["--pool=vmForks"]],
] as const;

describe.each(inject("beds"))("Vitest $version", (bed) => {
  test.each(POOLS)("every fixture works with %s, and nothing is left", async (pool, args) => {
    await using project = await makeProject(bed, {
      "extended.test.ts": EXTENDED,
      "plain.test.ts": PLAIN,
      "vitest.config.ts": `
        import { defineConfig } from "vitest/config";
        import { tidybox } from "@tidybox/vitest/plugin";
        export default defineConfig({ plugins: [tidybox({ tags: ["project-tag"] })], test: { globals: true } });
      `,
    });
    const mark = `mark-${bed.version}-${pool.replaceAll(/\W+/g, "-")}-${process.pid}`;
    const run = await runVitest(project, { args, env: { TIDYBOX_TEST_MARK: mark } });
    expect(run.tests.filter(({ status }) => status !== "passed")).toEqual([]);
    expect(run.tests, run.output).toHaveLength(14);
    expect(run.exitCode, run.output).toBe(0);
    expect(run.account).toMatch(
      /14 sandboxes: 14 stopped by tests, 0 left +local\/\w+ +peak \d+ of \d+ +[\d.]+ s waited/,
    );
    await until(
      "processes of the run",
      5,
      () => processesWith(mark),
      (left) => left.length === 0,
    );
  });
});
