import { afterAll, beforeAll, expect, test } from "vitest";
import { startScript } from "../testing/script.ts";
import { type TestService, startTestService } from "../testing/local-service.ts";

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
});
afterAll(async () => service?.[Symbol.asyncDispose]());

test.each([
  ["a command with input", `exec(["cat"], { input: "abc" })`],
  ["a streamed file", `writeFile("/tmp/x", (async function* () { yield "abc"; })())`],
  ["a command with live input", `spawn(["cat"], { stdin: "pipe" })`],
])("%s that an ended sandbox refuses does not keep the program alive", async (_name, call) => {
  const { connection } = service;
  const script = startScript(
    `const sandbox = await Sandbox.run(["sh", "-c", "exit 3"], { tags });
    await sandbox.wait();
    await sandbox.${call}.catch((error) => say(error.name));
    `,
    { connection, tag: "refused-input" },
  );
  expect(await script.ended).toMatchObject({ status: 0, stderr: "SandboxClosedError\n" });
});
