import { NOTES_FILE, type Misdeed, type RunPlan } from "./plan.ts";

/** The source of each test file, for any framework whose `test` gives `{ sandbox, createSandbox }`. */
export function testFiles(plan: RunPlan, importFrom: string): Readonly<Record<string, string>> {
  return {
    "notes.ts": NOTES,
    "misdeed.ts": misdeedSource(plan.victim?.misdeed),
    ...Object.fromEntries(
      Array.from({ length: plan.files }, (_, file) => [
        `suite-${file}.test.ts`,
        testFile(plan, importFrom, file),
      ]),
    ),
  };
}

const NOTES = `
import { appendFileSync } from "node:fs";
export const note = (kind, more = {}) =>
  appendFileSync(${JSON.stringify(NOTES_FILE)}, JSON.stringify({ kind, pid: process.pid, ...more }) + "\\n");
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
`;

function testFile(plan: RunPlan, importFrom: string, file: number): string {
  const { victim, testsPerFile, pairs, rounds, sleepSeconds } = plan;
  const shortTimeout = victim?.misdeed === "times-out" ? 2_000 : 45_000;
  return `
import { afterEach, test } from ${JSON.stringify(importFrom)};
import { misdeed } from "./misdeed.ts";
import { note, pause } from "./notes.ts";
const VICTIM = ${JSON.stringify(victim?.test ?? "")};
let current = "";
afterEach(async () => {
  if (current === VICTIM && ${victim?.misdeed === "hangs-in-hook"}) await new Promise(() => {});
}, 2_000);
for (let index = 0; index < ${testsPerFile}; index += 1) {
  const name = "suite-${file}." + index;
  test(name, async ({ sandbox, createSandbox }) => {
    current = name;
    const held = [sandbox];
    if (${pairs} && index % 2 === 1) held.push(await createSandbox());
    note("holds", { test: name, sandboxIds: held.map(({ id }) => id) });
    try {
      for (const each of held)
        await each.exec(["sh", "-c", "setsid sleep ${sleepSeconds} </dev/null >/dev/null 2>&1 &"], { check: true });
      for (let round = 0; round < ${rounds}; round += 1) {
        for (const each of held) await each.exec(["true"], { check: true });
        await pause(100 + 100 * Math.random());
      }
    } catch (error) {
      note("trouble", { test: name, sandboxIds: held.map(({ id }) => id), error: String(error) });
      throw error;
    }
    if (name === VICTIM) await misdeed();
    note("done", { test: name });
  }, name === VICTIM ? ${shortTimeout} : 45_000);
}
`;
}

const MISDEEDS: Readonly<Record<Misdeed, string>> = {
  throws: `throw new Error("the victim throws");`,
  "times-out": "await new Promise(() => {});",
  "hangs-in-hook": "",
  "blocks-the-loop": "const until = Date.now() + 10_000; while (Date.now() < until) {}",
  "runs-out-of-memory":
    "const hoard = []; for (;;) hoard.push(new Array(100_000).fill(Math.random()));",
  "calls-exit": "process.exit(3);",
  "rejects-unhandled": `void Promise.reject(new Error("nobody handles this")); await pause(200);`,
};

function misdeedSource(misdeed: Misdeed | undefined): string {
  const body = misdeed === undefined ? "" : MISDEEDS[misdeed];
  return `import { pause } from "./notes.ts";\nexport async function misdeed() {\n  void pause;\n  ${body}\n}\n`;
}
