import { describe, expect, inject, test } from "vitest";
import { makeProject } from "../support/bed.ts";
import { processesWith, until } from "../support/observer.ts";
import { runVitest } from "../support/runner.ts";

const FILE = `
import { afterEach, describe, expect, test } from "@tidybox/vitest";
import { appendFileSync } from "node:fs";

const note = (name: string, id: string) => appendFileSync("ids.txt", name + " " + id + "\\n");

test("fails", async ({ sandbox }) => {
  note("fails", sandbox.id);
  await sandbox.exec(["sh", "-c", "echo some output; echo some trouble >&2; exit 4"]);
  expect(1, "my own assertion").toBe(2);
});
test("throws", async ({ sandbox }) => {
  note("throws", sandbox.id);
  throw new Error("my own error");
});
test("times out", async ({ sandbox }) => {
  note("times-out", sandbox.id);
  await sandbox.exec(["sleep", "1000"]);
}, 1500);
test("is skipped in the middle", async ({ sandbox, skip }) => {
  note("skipped", sandbox.id);
  skip("enough");
});
describe("retried", { retry: 2 }, () => {
  let attempt = 0;
  test("passes at the third attempt", async ({ sandbox }) => {
    note("retried", sandbox.id);
    attempt += 1;
    expect(attempt).toBe(3);
  });
});
describe("with a hook that throws", () => {
  afterEach(() => { throw new Error("my own hook"); });
  test("loses nothing", async ({ sandbox }) => { note("hook", sandbox.id); });
});
test("stops it by itself", async ({ sandbox }) => {
  note("stopped", sandbox.id);
  await sandbox.stop({ gracefulShutdownSeconds: 0 });
});
test("calls it when the test is over", async ({ sandbox }) => {
  note("late", sandbox.id);
  void new Promise((resolve) => setTimeout(resolve, 800))
    .then(() => sandbox.exec(["true"]))
    .catch((error) => appendFileSync("late.txt", String(error.code) + " " + String(error.message)));
  await new Promise((resolve) => setTimeout(resolve, 60_000));
}, 500);
test("waits for the late call", async () => { await new Promise((resolve) => setTimeout(resolve, 1000)); });
`;

const SLOW_START = `
import { appendFileSync } from "node:fs";
import { test } from "@tidybox/vitest";
test("holds the only slot", async ({ sandbox, createSandbox }) => {
  await createSandbox();
  appendFileSync("body.txt", "ran");
}, 1500);
test("gets a sandbox afterwards", async ({ sandbox }) => { await sandbox.exec(["true"], { check: true }); });
`;

describe.each(inject("beds"))("Vitest $version", (bed) => {
  test("however a test ends, its sandbox is stopped and its own error is the one shown", async () => {
    await using project = await makeProject(bed, { "endings.test.ts": FILE });
    const mark = `mark-endings-${bed.version}-${process.pid}`;
    const run = await runVitest(project, { env: { TIDYBOX_TEST_MARK: mark } });
    const of = (name: string) => run.tests.find((each) => each.name.endsWith(name));
    expect(of("fails")?.messages.join("\n")).toContain("my own assertion");
    expect(of("throws")?.messages.join("\n")).toContain("my own error");
    expect(run.output).toMatch(/Test timed out in 1500ms/);
    expect(of("is skipped in the middle")?.status).toMatch(/skipped|pending/);
    expect(of("passes at the third attempt")?.status).toBe("passed");
    expect(of("loses nothing")?.messages.join("\n")).toContain("my own hook");
    expect(of("stops it by itself")?.status).toBe("passed");
    expect(run.exitCode).toBe(1);

    const { readFile } = await import("node:fs/promises");
    const ids = (await readFile(`${project.directory}/ids.txt`, "utf8")).trim().split("\n");
    expect(new Set(ids).size).toBe(10);
    expect(run.account).toMatch(/10 sandboxes: 10 stopped by tests, 0 left/);
    expect(await readFile(`${project.directory}/late.txt`, "utf8")).toContain("has ended");
    await until(
      "processes of the run",
      5,
      () => processesWith(mark),
      (left) => left.length === 0,
    );
  });

  test("a failing test shows its sandbox and its last commands", async () => {
    await using project = await makeProject(bed, { "endings.test.ts": FILE });
    const run = await runVitest(project, { args: ["-t", "^fails$"] });
    const failed = run.tests.find(({ status }) => status === "failed");
    const message = failed?.messages.join("\n") ?? "";
    expect(run.output).toMatch(/sandbox \S+ \(local\/\w+\)/);
    expect(run.output).toContain("exit 4");
    expect(run.output).toContain("stdout: some output");
    expect(run.output).toContain("stderr: some trouble");
    expect(message).toContain("my own assertion");
  });

  test("a body does not run when its set-up has lost against the timeout", async () => {
    await using project = await makeProject(bed, {
      "slow.test.ts": SLOW_START,
      "vitest.config.ts": `
        import { defineConfig } from "vitest/config";
        import { tidybox } from "@tidybox/vitest/plugin";
        export default defineConfig({ plugins: [tidybox({ maxSandboxes: 1 })] });
      `,
    });
    const run = await runVitest(project);
    expect(run.tests.map(({ status }) => status)).toEqual(["failed", "passed"]);
    await expect(
      import("node:fs/promises").then(({ readFile }) => readFile(`${project.directory}/body.txt`)),
    ).rejects.toThrow("ENOENT");
    expect(run.account).toMatch(/2 sandboxes: 2 stopped by tests, 0 left/);
  });
});
