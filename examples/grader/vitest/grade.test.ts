import { describe, expect, type Run, type Sandbox } from "@tidybox/vitest";
import { grade, SUBMISSION_FOLDER } from "../src/grade.ts";
import { listRunning } from "../src/running.ts";
import { test } from "./grader-test.ts";

const ACCEPTED = { verdict: { kind: "accepted" }, failedCase: undefined, acceptedCases: 4 };

describe("a submission that answers", () => {
  test.for(["right.py", "right.sh"])(
    "%s is accepted",
    async (file, { sandbox, submission, problem }) => {
      const graded = await grade(sandbox, await submission(file), problem);
      expect(graded).toEqual({ ...ACCEPTED, leftProcesses: 0 });
    },
  );

  test("wrong is told the case, and what it printed", async ({ sandbox, submission, problem }) => {
    const graded = await grade(sandbox, await submission("wrong.sh"), problem);
    expect(graded).toMatchObject({
      verdict: { kind: "wrong-answer", printed: "3\n" },
      failedCase: "several lines",
      acceptedCases: 2,
    });
  });
});

describe("a submission that crashes", () => {
  test("by an exception is told its traceback", async ({ sandbox, submission, problem }) => {
    const graded = await grade(sandbox, await submission("crashing.py"), problem);
    expect(graded).toMatchObject({
      verdict: {
        kind: "runtime-error",
        exitCode: 1,
        signal: undefined,
        errors: expect.stringContaining("IndexError: list index out of range"),
      },
      failedCase: "nothing at all",
      acceptedCases: 3,
    });
  });

  test("by a signal is told which", async ({ sandbox, submission, problem }) => {
    const graded = await grade(sandbox, await submission("crashing-by-signal.py"), problem);
    expect(graded.verdict).toMatchObject({
      kind: "runtime-error",
      exitCode: 139,
      signal: "SIGSEGV",
    });
  });
});

// Together, because all they do is wait for their limits.
describe.concurrent("a submission that does not end", () => {
  test.for(["never-ending.py", "ignoring-signals.sh"])(
    "%s is ended",
    async (file, { sandbox, submission, problem, run }) => {
      const graded = await grade(sandbox, await submission(file), {
        ...problem,
        timeLimitSeconds: 2,
      });
      expect(graded).toMatchObject({
        verdict: { kind: "time-limit", timeLimitSeconds: 2 },
        failedCase: "two numbers",
      });
      await expectNotRunning(sandbox, run, "main.");
    },
  );

  test("is ended with all that it started", async ({ sandbox, submission, problem, run }) => {
    const limited = { ...problem, timeLimitSeconds: 2 };
    const graded = await grade(sandbox, await submission("forking-and-hanging.sh"), limited);
    expect(graded.verdict.kind).toBe("time-limit");
    await expectNotRunning(sandbox, run, "sleep 86413");
  });

  test("but floods until then has flooded", async ({ sandbox, submission, problem }) => {
    const limited = { ...problem, timeLimitSeconds: 2 };
    const { verdict } = await grade(sandbox, await submission("flooding-for-ever.sh"), limited);
    expect(verdict.kind).toBe("output-limit");
    // Another command finds the way free: what was on it when the flood was cut does not block.
    expect(await sandbox.exec(["echo", "dry"])).toPrint(/^dry$/m);
  });
});

describe("a submission that forks", () => {
  test("leaves nothing running behind a right answer", async ({
    sandbox,
    submission,
    problem,
    run,
  }) => {
    const [first] = problem.cases;
    expect.assert(first !== undefined);
    const graded = await grade(sandbox, await submission("forking.py"), {
      ...problem,
      cases: [first],
    });
    expect(graded).toMatchObject({ ...ACCEPTED, acceptedCases: 1 });
    // The one that left its process group and its session is among them, and has really run.
    expect(graded.leftProcesses).toBeGreaterThanOrEqual(1);
    await expect(sandbox).toHaveFile(`${SUBMISSION_FOLDER}/detached.pid`, /^\d+$/);
    await expectNotRunning(sandbox, run, "main.");
  });

  test("ends with its sandbox, whatever it hides", async ({ createSandbox, skip, run }) => {
    skip(run.engine === "process", "this looks at all processes, and here they are the machine's");
    const sandbox = await createSandbox();
    // No mark in its environment, no parent, no terminal: nothing to find it by.
    const hide = "env -i setsid sleep 86414 </dev/null >/dev/null 2>&1 &";
    expect(await sandbox.exec(["sh", "-c", hide])).toSucceed();
    await expect.poll(() => listRunning(sandbox)).toPrint("sleep 86414");
    await sandbox.stop();
    await expect(listRunning(sandbox)).rejects.toThrow(sandbox.id);
    // A new one shares nothing with it.
    const next = await createSandbox();
    expect(await listRunning(next)).not.toPrint("sleep 86414");
  });
});

describe("a submission that floods", () => {
  const MEBIBYTE = 1024 * 1024;

  test("is judged without holding its output", async ({ sandbox, submission, problem }) => {
    const before = process.resourceUsage().maxRSS * 1024;
    const graded = await grade(sandbox, await submission("flooding.py"), {
      ...problem,
      timeLimitSeconds: 50,
    });
    const grown = process.resourceUsage().maxRSS * 1024 - before;
    expect(graded.verdict).toEqual({
      kind: "output-limit",
      outputLimitBytes: problem.outputLimitBytes,
      producedBytes: 128 * MEBIBYTE,
    });
    // Not even all of it once.
    expect(grown).toBeLessThan(128 * MEBIBYTE);
  });

  test("its errors is no better", async ({ sandbox, submission, problem }) => {
    const graded = await grade(sandbox, await submission("flooding-errors.py"), problem);
    expect(graded).toMatchObject({ verdict: { kind: "output-limit" }, acceptedCases: 0 });
  });
});

async function expectNotRunning(sandbox: Sandbox, run: Run, words: string): Promise<void> {
  // There it would be the machine's processes; the grader has looked for its own by their mark.
  if (run.engine === "process") return;
  const running = await listRunning(sandbox);
  // It has looked: the list holds at least the shell that makes it.
  expect(running).toPrint("sh -c");
  expect(running).not.toPrint(words);
}
