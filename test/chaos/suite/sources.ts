import type { Files } from "../framework.ts";
import { ENOUGH_FILE, NOTES_FILE, type Misdeed, type RunPlan } from "./plan.ts";

/** How the files of a suite come to each other, and to `test` and `afterEach`. */
export interface Dialect {
  /** With its dot. */
  readonly extension: string;
  /** Statements; empty where they are global. */
  readonly globals: string;
  /** A statement. */
  importOf(names: readonly string[], from: string): string;
  exportOf(names: readonly string[]): string;
}

/** The source of each test file, for any framework whose `test` gives `{ sandbox, createSandbox }`. */
export function testFiles(plan: RunPlan, dialect: Dialect): Files {
  const { extension } = dialect;
  return {
    [`notes${extension}`]: `
${dialect.importOf(["appendFileSync", "existsSync"], "node:fs")}
${NOTES}
${dialect.exportOf(["note", "pause", "isEnough"])}
`,
    [`misdeed${extension}`]: `
${dialect.importOf(["note", "pause"], `./notes${extension}`)}
async function misdeed(test) {
  note("misdeed", { test });
  void pause;
  ${plan.victim === undefined ? "" : MISDEEDS[plan.victim.misdeed]}
}
${dialect.exportOf(["misdeed"])}
`,
    ...Object.fromEntries(
      Array.from({ length: plan.files }, (_, file) => [
        `suite-${file}.test${extension}`,
        testFile(plan, dialect, file),
      ]),
    ),
  };
}

const NOTES = `
const note = (kind, more = {}) =>
  appendFileSync(${JSON.stringify(NOTES_FILE)}, JSON.stringify({ kind, pid: process.pid, ...more }) + "\\n");
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const isEnough = () => existsSync(${JSON.stringify(ENOUGH_FILE)});
`;

function testFile(plan: RunPlan, dialect: Dialect, file: number): string {
  const { victim, testsPerFile, pairs, rounds, sleepSeconds } = plan;
  const { extension } = dialect;
  const timeout = plan.timeoutSeconds * 1000;
  const ofVictim = victim?.misdeed === "times-out" ? 2_000 : timeout;
  return `
${dialect.globals}
${dialect.importOf(["misdeed"], `./misdeed${extension}`)}
${dialect.importOf(["note", "pause", "isEnough"], `./notes${extension}`)}
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
      for (let round = 0; round < ${rounds} && !isEnough(); round += 1) {
        for (const each of held) await each.exec(["true"], { check: true });
        await pause(100 + 100 * Math.random());
      }
    } catch (error) {
      note("trouble", { test: name, sandboxIds: held.map(({ id }) => id), error: String(error) });
      throw error;
    }
    if (name === VICTIM) await misdeed(name);
    note("done", { test: name });
  }, name === VICTIM ? ${ofVictim} : ${timeout});
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
  "never-ends": "for (;;) await pause(1_000);",
};
