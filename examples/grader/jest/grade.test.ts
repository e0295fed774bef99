import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect } from "@jest/globals";
import { type Run, type Sandbox, test } from "@tidybox/jest";
import { grade, SUBMISSION_FOLDER } from "../src/grade.ts";
import { listRunning } from "../src/running.ts";
import { graderSandbox, problem, submission } from "./grader-test.ts";

const ACCEPTED = { verdict: { kind: "accepted" }, failedCase: undefined, acceptedCases: 4 };

describe("a submission that answers", () => {
  test.each(["right.py", "right.sh"])("%s is accepted", async (file, { createSandbox, run }) => {
    const sandbox = await graderSandbox({ createSandbox, run });
    const graded = await grade(sandbox, await submission(sandbox, file), problem);
    expect(graded).toEqual({ ...ACCEPTED, leftProcesses: 0 });
  });

  test("wrong is told the case, and what it printed", async ({ createSandbox, run }) => {
    const sandbox = await graderSandbox({ createSandbox, run });
    const graded = await grade(sandbox, await submission(sandbox, "wrong.sh"), problem);
    expect(graded).toMatchObject({
      verdict: { kind: "wrong-answer", printed: "3\n" },
      failedCase: "several lines",
      acceptedCases: 2,
    });
  });
});

describe("a submission that crashes", () => {
  test("by an exception is told its traceback", async ({ createSandbox, run }) => {
    const sandbox = await graderSandbox({ createSandbox, run });
    const graded = await grade(sandbox, await submission(sandbox, "crashing.py"), problem);
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

  test("by a signal is told which", async ({ createSandbox, run }) => {
    const sandbox = await graderSandbox({ createSandbox, run });
    const program = await submission(sandbox, "crashing-by-signal.py");
    const graded = await grade(sandbox, program, problem);
    expect(graded.verdict).toMatchObject({
      kind: "runtime-error",
      exitCode: 139,
      signal: "SIGSEGV",
    });
  });
});

// Together, because all they do is wait for their limits.
describe("a submission that does not end", () => {
  const limited = { ...problem, timeLimitSeconds: 2 };

  test.concurrent.each(["never-ending.py", "ignoring-signals.sh"])(
    "%s is ended",
    async (file, { createSandbox, run }) => {
      const sandbox = await graderSandbox({ createSandbox, run });
      const graded = await grade(sandbox, await submission(sandbox, file), limited);
      expect(graded).toMatchObject({
        verdict: { kind: "time-limit", timeLimitSeconds: 2 },
        failedCase: "two numbers",
      });
      await expectNotRunning(sandbox, run, "main.");
    },
  );

  test.concurrent("is ended with all that it started", async ({ createSandbox, run }) => {
    const sandbox = await graderSandbox({ createSandbox, run });
    const program = await submission(sandbox, "forking-and-hanging.sh");
    const graded = await grade(sandbox, program, limited);
    expect(graded.verdict.kind).toBe("time-limit");
    await expectNotRunning(sandbox, run, "sleep 86413");
  });

  test.concurrent("but floods until then has flooded", async ({ createSandbox, run }) => {
    const sandbox = await graderSandbox({ createSandbox, run });
    const program = await submission(sandbox, "flooding-for-ever.sh");
    const { verdict } = await grade(sandbox, program, limited);
    expect(verdict.kind).toBe("output-limit");
    // Another command finds the way free: what was on it when the flood was cut does not block.
    expect(await sandbox.exec(["echo", "dry"])).toPrint(/^dry$/m);
  });
});

describe("a submission that forks", () => {
  test("leaves nothing running behind a right answer", async ({ createSandbox, run }) => {
    const sandbox = await graderSandbox({ createSandbox, run });
    const graded = await grade(sandbox, await submission(sandbox, "forking.py"), {
      ...problem,
      cases: problem.cases.slice(0, 1),
    });
    expect(graded).toMatchObject({ ...ACCEPTED, acceptedCases: 1 });
    // The one that left its process group and its session is among them, and has really run.
    expect(graded.leftProcesses).toBeGreaterThanOrEqual(1);
    await expect(sandbox).toHaveFile(`${SUBMISSION_FOLDER}/detached.pid`, /^\d+$/);
    await expectNotRunning(sandbox, run, "main.");
  });

  test("ends with its sandbox, whatever it hides", async ({ createSandbox, run }) => {
    // This looks at all processes, and with this engine they are the machine's.
    if (run.engine === "process") return;
    const sandbox = await createSandbox();
    // No mark in its environment, no parent, no terminal: nothing to find it by.
    const hide = "env -i setsid sleep 86414 </dev/null >/dev/null 2>&1 &";
    expect(await sandbox.exec(["sh", "-c", hide])).toSucceed();
    await untilPrinted(sandbox, "sleep 86414");
    await sandbox.stop();
    await expect(listRunning(sandbox)).rejects.toThrow(sandbox.id);
    // A new one shares nothing with it.
    const next = await createSandbox();
    expect(await listRunning(next)).not.toPrint("sleep 86414");
  });
});

describe("a submission that floods", () => {
  const MEBIBYTE = 1024 * 1024;

  test("is judged without holding its output", async ({ createSandbox, run }) => {
    const sandbox = await graderSandbox({ createSandbox, run });
    const program = await submission(sandbox, "flooding.py");
    const before = process.resourceUsage().maxRSS * 1024;
    const graded = await grade(sandbox, program, { ...problem, timeLimitSeconds: 50 });
    const grown = process.resourceUsage().maxRSS * 1024 - before;
    expect(graded.verdict).toEqual({
      kind: "output-limit",
      outputLimitBytes: problem.outputLimitBytes,
      producedBytes: 128 * MEBIBYTE,
    });
    // Not even all of it once.
    expect(grown).toBeLessThan(128 * MEBIBYTE);
  });

  test("its errors is no better", async ({ createSandbox, run }) => {
    const sandbox = await graderSandbox({ createSandbox, run });
    const graded = await grade(sandbox, await submission(sandbox, "flooding-errors.py"), problem);
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

/** Bounded by the test's own timeout. */
async function untilPrinted(sandbox: Sandbox, words: string): Promise<void> {
  while (!(await listRunning(sandbox)).stdout.includes(words)) await sleep(50);
}
