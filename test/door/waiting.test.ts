import { hostname } from "node:os";
import { Connection, Sandbox, removeCleanupHandlers } from "@tidybox/client";
import { expect, inject, test } from "vitest";
import { configFile, makeProject } from "../support/bed.ts";
import { tidybox } from "../support/observer.ts";
import { runVitest } from "../support/runner.ts";
import { startServe } from "../support/serve.ts";

// The service of these tests takes its sandboxes along.
removeCleanupHandlers();

const bed = inject("beds").at(-1);
if (bed === undefined) throw new Error("no bed");

test.each(inject("beds"))(
  "Vitest $version: a test that waits long for a slot says so once, with the tests that hold them",
  async (each) => {
    await using project = await makeProject(each, {
      "holds.test.ts": `
      import { writeFileSync } from "node:fs";
      import { test } from "@tidybox/vitest";
      test("holds the slot", async ({ sandbox }) => {
        writeFileSync("held.txt", "");
        await sandbox.exec(["sleep", "8"]);
      }, 60_000);
    `,
      "waits.test.ts": `
      import { existsSync } from "node:fs";
      import { beforeEach, test } from "@tidybox/vitest";
      beforeEach(async () => {
        while (!existsSync("held.txt")) await new Promise((resolve) => setTimeout(resolve, 50));
      }, 40_000);
      test("waits for the slot", async ({ createSandbox }) => { await createSandbox(); }, 60_000);
    `,
      "vitest.config.ts": configFile("{ maxSandboxes: 1 }"),
    });
    const run = await runVitest(project, { args: ["--pool=forks", "--maxWorkers=2"] });
    expect(run.exitCode, run.output).toBe(0);
    const said = run.output.split("\n").filter((line) => line.includes("been waiting"));
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(
      /^tidybox {2}"waits for the slot" has been waiting for a sandbox for 5 s: all 1 are taken by holds the slot \(active, for \d+ s\)$/,
    );
  },
);

test("with little time it says so before that is over", async () => {
  await using project = await makeProject(bed, {
    "a.test.ts": `
      import { describe, test } from "@tidybox/vitest";
      describe.concurrent("at once", () => {
        test("holds the slot", async ({ sandbox }) => { await sandbox.exec(["sleep", "6"]); }, 60_000);
        test("in a hurry", async ({ createSandbox }) => {
          await new Promise((resolve) => setTimeout(resolve, 500));
          await createSandbox();
        }, 4000);
      });
    `,
    "vitest.config.ts": configFile("{ maxSandboxes: 1 }"),
  });
  const run = await runVitest(project);
  expect(run.exitCode).toBe(1);
  expect(run.output).toMatch(
    /"at once > in a hurry" has been waiting for a sandbox for \d s: all 1 are taken by at once > holds the slot/,
  );
});

test("at the service's quota other runs are named, and those whose runner is gone with the command", async () => {
  await using service = await startServe(bed, ["--max-sandboxes", "2"]);
  const connection = new Connection({
    baseUrl: service.env["CWSANDBOX_BASE_URL"] ?? "",
    apiKey: service.env["CWSANDBOX_API_KEY"] ?? "",
  });
  const { readFileSync, readlinkSync } = await import("node:fs");
  const dead = {
    pid: process.pid,
    startTime: "1",
    bootId: readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
    pidNamespace: readlinkSync("/proc/self/ns/pid"),
  };
  await Sandbox.run({
    connection,
    tags: ["tidybox", "tidybox-run-lostone"],
    annotations: {
      "tidybox.host": hostname(),
      "tidybox.runner": JSON.stringify(dead),
      "tidybox.ci": "github 812 build",
    },
  });
  await Sandbox.run({ connection, tags: ["somebody-elses"] });
  await using project = await makeProject(bed, {
    "a.test.ts": `
      import { test } from "@tidybox/vitest";
      test("finds no room", async ({ sandbox }) => {}, 60_000);
    `,
    "vitest.config.ts": configFile("{ startTimeoutSeconds: 7 }"),
  });
  const run = await runVitest(project, { env: service.env });
  connection.close();
  expect(run.exitCode).toBe(1);
  const words =
    /the service refuses more than 0 of this run for want of quota .*this run has none; run lostone has 1 \(since 20\S+, on \S+, CI github 812 build, its runner is gone: npx tidybox reap --run lostone\); 1 sandbox of other clients/;
  const [told] = run.output.split("\n").filter((line) => line.includes("been waiting"));
  expect(told).toMatch(words);
  // Not before its time, and in the same words.
  const message = run.tests[0]?.messages.join("\n");
  expect(message).toMatch(/no slot became free within 7 s/);
  expect(message).toMatch(words);
  expect(run.account).toMatch(/ 0 sandboxes: 0 left/);
  await tidybox(bed, ["reap", "--run", "lostone"], service.env);
  expect(await service.list()).toHaveLength(1);
});
