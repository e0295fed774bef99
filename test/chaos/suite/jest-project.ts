import type { Files } from "../framework.ts";
import { NOTES_FILE, type RunPlan } from "./plan.ts";
import { type Dialect, testFiles } from "./sources.ts";

/** CommonJS, and the global `test`: what most of Jest's users have. */
const COMMON_JS: Dialect = {
  extension: ".js",
  globals: "",
  importOf: (names, from) => `const { ${names.join(", ")} } = require(${JSON.stringify(from)});`,
  exportOf: (names) => `module.exports = { ${names.join(", ")} };`,
};

/** A Jest project under attack. */
export function jestFiles(workerThreads: boolean, plan: RunPlan): Files {
  const tidybox = {
    runId: plan.runId,
    maxSandboxes: plan.maxSandboxes,
    ...(plan.faults === undefined ? {} : { local: { faults: plan.faults } }),
  };
  const config = {
    preset: "@tidybox/jest",
    testEnvironmentOptions: { tidybox },
    reporters: ["default", "<rootDir>/notes-reporter.cjs"],
    maxWorkers: plan.workers,
    workerThreads,
    transform: {},
    watchman: false,
    ...(plan.bail ? { bail: 1 } : {}),
    ...(plan.forceExit ? { forceExit: true } : {}),
    ...(plan.tinyMemoryLimit ? { workerIdleMemoryLimit: "1MB" } : {}),
  };
  return {
    "package.json": '{ "private": true }\n',
    // Only the runner reads it: its workers are handed what it says.
    "jest.config.cjs": `
${NOTE_FUNCTION}
note("runner");
module.exports = ${JSON.stringify(config)};
`,
    "notes-reporter.cjs": `
${NOTE_FUNCTION}
module.exports = class {
  onRunComplete() {
    note("tests-over");
  }
};
`,
    ...testFiles(plan, COMMON_JS),
  };
}

const NOTE_FUNCTION = `
const { appendFileSync } = require("node:fs");
const note = (kind) =>
  appendFileSync(${JSON.stringify(NOTES_FILE)}, JSON.stringify({ kind, pid: process.pid }) + "\\n");
`;
