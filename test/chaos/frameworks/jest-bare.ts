import type { BareBodies, Files } from "../framework.ts";
import { BARE_NOTES, BARE_TEST_TIMEOUT_MS } from "../runners/bare-notes.ts";

/** Two files without any tidybox. */
export function bareJest(workerThreads: boolean, bodies: BareBodies): Files {
  const config = {
    testEnvironment: "./environment.cjs",
    globalTeardown: "./global-teardown.cjs",
    testSequencer: "./sequencer.cjs",
    testTimeout: BARE_TEST_TIMEOUT_MS,
    maxWorkers: 2,
    workerThreads,
    transform: {},
    watchman: false,
  };
  return {
    "package.json": '{ "private": true }\n',
    "jest.config.json": JSON.stringify(config, undefined, 2),
    "global-teardown.cjs": `
const { note } = require("./notes.cjs");
module.exports = async () => note("global teardown");
`,
    "notes.cjs": `
const { appendFileSync, existsSync } = require("node:fs");
${BARE_NOTES}
module.exports = { note, there, pause };
`,
    "environment.cjs": `
const { basename } = require("node:path");
const { TestEnvironment } = require("jest-environment-node");
const { note } = require("./notes.cjs");
module.exports = class extends TestEnvironment {
  constructor(config, context) {
    super(config, context);
    this.name = basename(context.testPath)[0];
  }
  async teardown() {
    note("environment " + this.name);
    await super.teardown();
  }
};
`,
    // In band b comes after a, however long each was in whatever run before.
    "sequencer.cjs": `
const Sequencer = require("@jest/test-sequencer").default;
module.exports = class extends Sequencer {
  sort(tests) {
    return [...tests].sort((one, other) => (one.path < other.path ? -1 : 1));
  }
};
`,
    "a.test.js": testFile("a", bodies.a),
    "b.test.js": testFile("b", bodies.b),
  };
}

function testFile(name: "a" | "b", body: string): string {
  return `
const { note, there, pause } = require("./notes.cjs");
afterEach(() => note("afterEach ${name}"));
test("${name}", async () => {
  note("body ${name} " + process.pid);
  ${body}
  note("end ${name}");
});
`;
}
