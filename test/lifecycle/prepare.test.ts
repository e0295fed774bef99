import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Project, configFile, makeProject } from "../support/bed.ts";
import { lastBed } from "../support/last-bed.ts";
import { processesWith, serviceFolders, until } from "../support/observer.ts";
import { runVitest, startVitest } from "../support/runner.ts";

/** Notes, where no sandbox is, that it has run. */
const NOTED = `
import { appendFileSync } from "node:fs";
import type { Sandbox } from "@tidybox/client";
export default async (sandbox: Sandbox): Promise<void> => {
  appendFileSync("prepared.log", sandbox.id + "\\n");
  await sandbox.exec(["sh", "-c", "mkdir /workspace/deep && echo kept > /workspace/deep/data.txt"], { check: true });
};
`;

const linesOf = ({ directory }: Project, file: string): readonly string[] => {
  const path = join(directory, file);
  return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : [];
};

const CONFIG = configFile('{ sandbox: { prepare: "prepare.ts" } }');

/** Each begins with the same, whatever the one before has done to it. */
const SPOILING = (name: string) => `
import { expect, test } from "@tidybox/vitest";
for (const turn of [1, 2]) {
  test("${name} " + turn, async ({ sandbox, createSandbox, session }) => {
    for (const each of [sandbox, await createSandbox({ tags: ["turn-" + turn] }), await session.sandbox()]) {
      expect(await each.readTextFile("/workspace/deep/data.txt")).toBe("kept\\n");
      await each.exec(["sh", "-c", "rm -r /workspace/deep && echo spoiled > /workspace/spoiled"], { check: true });
    }
  });
}
`;

describe("prepare", () => {
  test("runs once for a run, and every sandbox with these options starts from what it has left", async () => {
    await using project = await makeProject(lastBed(), {
      "prepare.ts": NOTED,
      "vitest.config.ts": CONFIG,
      "a.test.ts": SPOILING("a"),
      "b.test.ts": `${SPOILING("b")}
        test("without", async ({ createSandbox }) => {
          const bare = await createSandbox({ prepare: false });
          expect((await bare.exec(["ls", "/workspace/deep"])).exitCode).not.toBe(0);
        });
      `,
    });
    const run = await runVitest(project);
    expect(run.exitCode, run.output).toBe(0);
    expect(run.tests).toHaveLength(5);
    expect(linesOf(project, "prepared.log")).toHaveLength(1);
    // Of each of four tests two and one of the session; the last test's; the preparation's own.
    expect(run.account).toMatch(/9 stopped by tests, 5 by sessions, .*\b0 left/);
    await until(
      "the end of the service",
      15,
      () => serviceFolders(project),
      (left) => left.length === 0,
    );
  });

  test("of a set of options that a test brings runs when it comes, with its own volumes", async () => {
    await using project = await makeProject(lastBed(), {
      "setup/both.cjs": `
        module.exports = async (sandbox) => {
          require("node:fs").appendFileSync("prepared.log", sandbox.id + "\\n");
          await sandbox.writeFile("/a/x", "of a");
          await sandbox.writeFile("/b/x", "of b");
        };
      `,
      "a.test.ts": `
        import { expect, test } from "@tidybox/vitest";
        const volumes = [{ name: "a", mountPath: "/a" }, { name: "b", mountPath: "/b" }];
        const options = { prepare: "setup/both.cjs", volumes };
        for (const turn of [1, 2]) {
          test.concurrent("prepared " + turn, async ({ createSandbox, expect }) => {
            const sandbox = await createSandbox({ ...options, annotations: { turn: String(turn) } });
            expect(await sandbox.readTextFile("/a/x")).toBe("of a");
            expect(await sandbox.readTextFile("/b/x")).toBe("of b");
          });
        }
        test("bare", async ({ sandbox }) => {
          expect((await sandbox.exec(["ls", "/a/x"])).exitCode).not.toBe(0);
        });
      `,
      "vitest.config.ts": configFile("{}", "{ testTimeout: 60000 }"),
    });
    const run = await runVitest(project);
    expect(run.exitCode, run.output).toBe(0);
    expect(linesOf(project, "prepared.log")).toHaveLength(1);
  });

  test("goes on behind a test whose own timeout is over, for the next one", async () => {
    await using project = await makeProject(lastBed(), {
      "prepare.ts": NOTED.replace(
        "appendFileSync(",
        "await new Promise((go) => setTimeout(go, 3000));\n  appendFileSync(",
      ),
      "a.test.ts": `
        import { expect, test } from "@tidybox/vitest";
        test("hurries", async ({ createSandbox }) => { await createSandbox({ prepare: "prepare.ts" }); }, 1000);
        test("waits", async ({ createSandbox }) => {
          const sandbox = await createSandbox({ prepare: "prepare.ts" });
          expect(await sandbox.readTextFile("/workspace/deep/data.txt")).toBe("kept\\n");
        }, 60000);
      `,
    });
    const run = await runVitest(project);
    expect(run.tests.map(({ status }) => status)).toEqual(["failed", "passed"]);
    expect(run.output).toMatch(/timed out in 1000ms/i);
    expect(linesOf(project, "prepared.log")).toHaveLength(1);
    expect(run.account).toMatch(/ 0 left/);
  });
});

describe("a preparation that fails", () => {
  const TWO_TESTS = `
    import { expect, test } from "@tidybox/vitest";
    test("one", async ({ sandbox }) => { await sandbox.exec(["true"]); });
    test("two", async ({ sandbox }) => { await sandbox.exec(["true"]); });
    test("needs none", async ({ createSandbox }) => { await createSandbox({ prepare: false }); });
  `;

  /** Both tests that need it failed with these words, the other passed, and nothing is left. */
  async function fails(
    body: string,
    words: readonly RegExp[],
    options = '{ sandbox: { prepare: "prepare.ts" } }',
  ): Promise<void> {
    await using project = await makeProject(lastBed(), {
      "prepare.ts": `import { appendFileSync } from "node:fs";\nappendFileSync("loaded.log", "x\\n");\n${body}`,
      "a.test.ts": TWO_TESTS,
      "vitest.config.ts": configFile(options),
    });
    const mark = `mark-prepare-fails-${process.pid}`;
    const run = await runVitest(project, { env: { TIDYBOX_TEST_MARK: mark } });
    const statuses = run.tests.map(({ name, status }) => `${name} ${status}`);
    expect(statuses, run.output).toEqual(["one failed", "two failed", "needs none passed"]);
    for (const { messages } of run.tests.slice(0, 2))
      for (const word of words) expect(messages.join("\n")).toMatch(word);
    expect(run.account).toMatch(/ 0 left/);
    expect(linesOf(project, "loaded.log")).toHaveLength(1);
    await until(
      "the run",
      10,
      () => processesWith(mark),
      (left) => left.length === 0,
    );
  }

  test("by throwing fails each test that needs it, once, with its output", async () => {
    await fails(
      `export default async (sandbox) => {
        console.log("about to install");
        await sandbox.exec(["sh", "-c", "echo no such package >&2; exit 7"], { check: true });
      };`,
      [
        /the preparation prepare\.ts threw: CommandFailedError/,
        /prepare\.ts:\d+/,
        /\$ sh -c 'echo no such package.*exit 7/,
        /stderr: no such package/,
        /it printed:\nabout to install/,
        /runs once for a run, and so this is final/,
      ],
    );
  });

  test("while its module is loaded says so", async () => {
    await fails("throw new Error('not today'); export default () => {};", [
      /the preparation prepare\.ts could not be loaded from .*prepare\.ts: Error: not today/,
    ]);
  });

  test("for want of a function says so", async () => {
    await fails("export default 1;", [/its default export is no function/]);
  });

  test("by ending its own process is told from one that is done", async () => {
    await fails("export default async () => { process.exit(0); };", [
      /was lost: its process ended \(exit 0\) before the function was done/,
    ]);
  });

  test("by hanging is killed, and says what it was about", async () => {
    await fails(
      'export default async (sandbox) => { await sandbox.exec(["sleep", "60"]); };',
      [/did not end within 4 s \(prepareTimeoutSeconds\)/, /\$ sleep 60 +still running/],
      '{ sandbox: { prepare: "prepare.ts", prepareTimeoutSeconds: 4 } }',
    );
  });

  test("by never giving anybody a turn is killed, with all that it has started", async () => {
    await fails(
      `import { spawn } from "node:child_process";
      export default async () => { spawn("sleep", ["600"], { stdio: "inherit" }); for (;;); };`,
      [/did not end within 4 s .*, nor let itself be asked/],
      '{ sandbox: { prepare: "prepare.ts", prepareTimeoutSeconds: 4 } }',
    );
  });

  test("because there are no volumes, with the engine process, says why", async () => {
    await fails(
      "export default async () => {};",
      [/the preparation prepare\.ts could not run: .*volumes/s],
      '{ sandbox: { prepare: "prepare.ts" }, local: { engine: "process" } }',
    );
  });

  test("in its options is refused before any test", async () => {
    await using project = await makeProject(lastBed(), {
      "a.test.ts": TWO_TESTS,
      "vitest.config.ts": configFile("{ sandbox: { prepare: async () => {} } }"),
    });
    const run = await runVitest(project);
    expect(run.exitCode).not.toBe(0);
    expect(run.output).toMatch(/"sandbox" in the options of tidybox\(\): Option prepare must be/);
    expect(run.output).toMatch(/Put it into a file/);
  });
});

describe("a run that ends while a sandbox is prepared", () => {
  test.each([
    ["SIGKILL", "runner"],
    ["SIGKILL", "group"],
    ["SIGINT", "group"],
  ] as const)("by %s to the %s leaves nothing", async (signal, to) => {
    await using project = await makeProject(lastBed(), {
      "prepare.ts": `
        import { spawn } from "node:child_process";
        import { writeFileSync } from "node:fs";
        export default async (sandbox) => {
          spawn("sleep", ["600"], { stdio: "inherit" });
          writeFileSync("preparing.txt", sandbox.id);
          for (;;);
        };
      `,
      "a.test.ts": 'import { test } from "@tidybox/vitest"; test("one", ({ sandbox: _ }) => {});',
      "vitest.config.ts": CONFIG,
    });
    const mark = `mark-prepare-${signal}-${to}-${process.pid}`;
    const vitest = startVitest(project, { env: { TIDYBOX_TEST_MARK: mark } });
    try {
      await until(
        "the preparation",
        60,
        () => existsSync(join(project.directory, "preparing.txt")),
        Boolean,
      );
      vitest.signal(signal, to);
      await until(
        "the run",
        15,
        () => ({ processes: processesWith(mark), folders: serviceFolders(project) }),
        ({ processes, folders }) => processes.length + folders.length === 0,
      );
      await vitest.ended;
    } finally {
      for (const { pid } of processesWith(mark)) process.kill(pid, "SIGKILL");
    }
  });
});
