import { CLOCK_JS } from "./clock.ts";

export const WORKERS = 4;
export const FILES = ["a", "b", "c", "d"] as const;

/** Of a suite: the files but for its tests, which differ. */
export function suiteFiles(
  config: string,
  testsOf: (file: string) => string,
): Readonly<Record<string, string>> {
  return {
    "clock.js": CLOCK_JS,
    "ready.js": READY_JS,
    "vitest.config.mjs": config,
    ...Object.fromEntries(FILES.map((file) => [`${file}.test.js`, testsOf(file)])),
  };
}

const POOL = `maxWorkers: ${WORKERS}, testTimeout: 300_000, hookTimeout: 300_000`;

export const BARE_CONFIG = `export default { test: { ${POOL} } };\n`;

/** With a global setup that comes after the plugin's, so that the coordinator has answered by then. */
export function pluginConfig(options: Readonly<Record<string, unknown>>): string {
  return `
    import { fileURLToPath } from "node:url";
    import { tidybox } from "@tidybox/vitest/plugin";
    const ready = fileURLToPath(new URL("ready.js", import.meta.url));
    export default {
      plugins: [
        tidybox(${JSON.stringify({ ...options, report: REPORT_FILE })}),
        { name: "ready", configureVitest({ project }) { project.config.globalSetup.push(ready); } },
      ],
      test: { ${POOL} },
    };
  `;
}

export const REPORT_FILE = "report.json";
/** When the coordinator was up. */
export const READY_FILE = "ready.json";

const READY_JS = `
  import { writeFileSync } from "node:fs";
  import { fileURLToPath } from "node:url";
  const file = fileURLToPath(new URL("${READY_FILE}", import.meta.url));
  export default () => writeFileSync(file, String(performance.timeOrigin + performance.now()));
`;

/** The tests of one file: nothing but what a test costs by itself. */
export function emptyTests(file: string, count: number): string {
  return `
    import { afterAll, beforeEach, test } from "vitest";
    import { asked, done, got, leave } from "./clock.js";
    beforeEach(asked);
    afterAll(() => leave("${file}"));
    for (let index = 0; index < ${count}; index += 1) test("test " + index, async () => { got(); done(); });
  `;
}

/** As a user writes them who has our client and no fixtures. */
export function testsByHand(file: string, count: number): string {
  return `
    import { Sandbox } from "@tidybox/client";
    import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
    import { asked, done, got, leave, stopped } from "./clock.js";
    let sandbox;
    beforeEach(async () => { asked(); sandbox = await Sandbox.run(); });
    afterEach(async () => { await sandbox.stop({ gracefulShutdownSeconds: 0 }); stopped(); });
    afterAll(() => leave("${file}"));
    for (let index = 0; index < ${count}; index += 1)
      test("test " + index, async () => {
        got();
        expect((await sandbox.exec(["true"])).exitCode).toBe(0);
        done();
      });
  `;
}

/** The same with fixtures. */
export function testsWithFixture(file: string, count: number): string {
  return `
    import { expect, test } from "@tidybox/vitest";
    import { afterAll, beforeEach } from "vitest";
    import { asked, done, got, leave } from "./clock.js";
    beforeEach(asked);
    afterAll(() => leave("${file}"));
    for (let index = 0; index < ${count}; index += 1)
      test("test " + index, async ({ sandbox }) => {
        got();
        expect((await sandbox.exec(["true"])).exitCode).toBe(0);
        done();
      });
  `;
}
