import type { BareBodies, Files } from "../framework.ts";
import { BARE_NOTES, BARE_TEST_TIMEOUT_MS } from "../runners/bare-notes.ts";

/** Two files without any tidybox; `pool` as Vitest calls it. */
export function bareVitest(pool: string, bodies: BareBodies): Files {
  const test = {
    pool,
    maxWorkers: 2,
    minWorkers: 2,
    globalSetup: ["./global.ts"],
    testTimeout: BARE_TEST_TIMEOUT_MS,
  };
  return {
    "vitest.config.ts": `
import { defineConfig } from "vitest/config";
export default defineConfig({ test: ${JSON.stringify(test)} });
`,
    "global.ts": `
import { note } from "./notes.ts";
export default () => () => note("global teardown");
`,
    "notes.ts": `
import { appendFileSync, existsSync } from "node:fs";
${BARE_NOTES}
export { note, there, pause };
`,
    "a.test.ts": testFile("a", bodies.a),
    "b.test.ts": testFile("b", bodies.b),
  };
}

function testFile(name: "a" | "b", body: string): string {
  return `
import { afterEach, test as base } from "vitest";
import { note, there, pause } from "./notes.ts";
const test = base.extend({
  thing: async ({}, use) => {
    await use("thing");
    note("fixture ${name}");
  },
});
afterEach(() => note("afterEach ${name}"));
test("${name}", async ({ thing }) => {
  note("body ${name} " + process.pid);
  ${body}
  note("end ${name}");
});
`;
}
