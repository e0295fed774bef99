import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { openGate } from "../chaos/gate.ts";
import { configFile, makeProject } from "../support/bed.ts";
import { lastBed } from "../support/last-bed.ts";
import { until } from "../support/observer.ts";
import { startVitest } from "../support/runner.ts";
import { startServe } from "../support/serve.ts";

/** Asks for a sandbox once the service is away. */
const ASKING = `
import { existsSync, writeFileSync } from "node:fs";
import { test } from "@tidybox/vitest";
test("asks in the outage", async ({ createSandbox }) => {
  writeFileSync("ready.txt", "");
  while (!existsSync("away.txt")) await new Promise((resolve) => setTimeout(resolve, 50));
  await (await createSandbox()).exec(["true"], { check: true });
}, 100_000);
`;
/** More than any call is tried again for by itself. */
const OUTAGE_SECONDS = 36;

async function askInOutage(options: string) {
  const service = await startServe(lastBed());
  const gate = await openGate(service.env["CWSANDBOX_BASE_URL"] ?? "");
  const project = await makeProject(lastBed(), {
    "a.test.ts": ASKING,
    "vitest.config.ts": configFile(options),
  });
  const run = startVitest(project, {
    env: { ...service.env, CWSANDBOX_BASE_URL: gate.baseUrl },
    timeoutSeconds: 150,
  });
  await until(
    "the test",
    60,
    () => existsSync(join(project.directory, "ready.txt")),
    (there) => there,
  );
  gate.close();
  writeFileSync(join(project.directory, "away.txt"), "");
  return {
    ...{ service, gate, run },
    [Symbol.asyncDispose]: async () => {
      await run.ended;
      for (const each of [project, gate, service]) await each[Symbol.asyncDispose]();
    },
  };
}

const NOTICE =
  /"asks in the outage" has been waiting for a sandbox for 5 s: the service is unavailable now .*\(Could not create a sandbox.* broke\)\)/;

test("a create goes on waiting through an outage of the service, as long as the start may take", async () => {
  await using outage = await askInOutage("{}");
  await sleep(OUTAGE_SECONDS * 1000);
  expect(outage.run.output()).toMatch(NOTICE);
  outage.gate.open();
  const end = await outage.run.ended;
  expect(end.exitCode, end.output).toBe(0);
  expect(end.account).toMatch(/1 sandbox: 1 stopped by tests, 0 left/);
  expect(await outage.service.list()).toEqual([]);
});

test("an outage longer than the start may take fails the test with what the service did", async () => {
  await using outage = await askInOutage("{ startTimeoutSeconds: 8 }");
  await until(
    "the failure",
    40,
    () => outage.run.output(),
    (text) => text.includes("FAIL "),
  );
  outage.gate.open();
  const end = await outage.run.ended;
  expect(end.output).toMatch(NOTICE);
  expect(end.tests[0]?.messages.join("\n")).toMatch(
    /No sandbox within 8 s: http:\S+ has not accepted the create\. Could not create a sandbox in \d+ tries/,
  );
  expect(end.account).toMatch(/ 0 left/);
  expect(await outage.service.list()).toEqual([]);
});
