import { readFile, writeFile } from "node:fs/promises";
import { expect, inject, test } from "vitest";
import { configFile, makeProject } from "../support/bed.ts";
import { processesWith, tidybox, until } from "../support/observer.ts";
import { runVitest, startVitest } from "../support/runner.ts";
import { startServe } from "../support/serve.ts";

const bed = inject("beds").at(-1);
if (bed === undefined) throw new Error("no bed");

const CAUSES = `
  import { Sandbox } from "@tidybox/client";
  import { test } from "@tidybox/vitest";
  test("main process", async ({ createSandbox }) => {
    const sandbox = await createSandbox({ command: ["sh", "-c", "sleep 0.2; exit 3"] });
    await sandbox.wait();
    await sandbox.exec(["true"]);
  });
  test("lifetime", async ({ createSandbox }) => {
    const sandbox = await createSandbox({ maxLifetimeSeconds: 1 });
    await sandbox.wait();
    await sandbox.readFile("/workspace/a");
  });
  test("its own stop", async ({ sandbox }) => {
    await sandbox.stop({ gracefulShutdownSeconds: 0 });
    await sandbox.exec(["true"]);
  });
`;

test("the next call on a sandbox that has died names the cause", async () => {
  await using project = await makeProject(bed, {
    "a.test.ts": CAUSES,
    "vitest.config.ts": configFile("{}", "{ testTimeout: 20000 }"),
  });
  const run = await runVitest(project);
  const of = (name: string) =>
    run.tests.find((each) => each.name === name)?.messages.join("\n") ?? "no such test";
  expect(of("main process")).toMatch(/has ended: its own main process ended with exit code 3\./);
  expect(of("main process")).toContain("leave `command` out");
  expect(of("lifetime")).toMatch(/has ended: its maximum lifetime of 1 s is over\./);
  expect(of("its own stop")).toMatch(/is closed: it was stopped/);
});

test("one that somebody else reaps: the next call says so, and the account too", async () => {
  await using service = await startServe(bed);
  await using project = await makeProject(bed, {
    "a.test.ts": `
      import { existsSync, writeFileSync } from "node:fs";
      import { test } from "@tidybox/vitest";
      test("reaped", async ({ sandbox, run }) => {
        writeFileSync("run.txt", run.id + ".");
        while (!existsSync("go-on")) await new Promise((resolve) => setTimeout(resolve, 50));
        await sandbox.exec(["true"]);
      }, 60_000);
    `,
  });
  const vitest = startVitest(project, { env: service.env });
  const id = () => readFile(`${project.directory}/run.txt`, "utf8").catch(() => "");
  const { answer } = await until("the run's id", 40, id, (text) => text.endsWith("."));
  await tidybox(bed, ["reap", "--run", answer.slice(0, -1)], service.env);
  await writeFile(`${project.directory}/go-on`, "");
  const run = await vitest.ended;
  expect(run.tests[0]?.messages.join("\n"), run.output).toMatch(
    /has ended: somebody else stopped it \(the service says: it was purged\)[^]*tidybox reap/,
  );
  expect(run.account).toMatch(/1 sandbox: 1 stopped elsewhere, 0 left/);
});

test("a worker whose connection to the coordinator breaks hears that this is why", async () => {
  await using service = await startServe(bed);
  await using project = await makeProject(bed, {
    "a.test.ts": `
      import { connect, createServer } from "node:net";
      import { inject, test } from "vitest";
      import { Worker } from "@tidybox/fixtures";
      test("cut off", async () => {
        const info = inject("tidybox");
        const { hostname, port } = new URL(info.coordinator.baseUrl);
        const sockets = [];
        const server = createServer((near) => {
          const far = connect(Number(port), hostname);
          for (const [one, other] of [[near, far], [far, near]]) {
            sockets.push(one);
            one.on("error", () => other.destroy()).on("close", () => other.destroy()).pipe(other);
          }
        });
        await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
        const baseUrl = "http://127.0.0.1:" + server.address().port;
        const worker = await Worker.open({ ...info, coordinator: { ...info.coordinator, baseUrl } });
        const owner = { testName: "cut off", testFile: "", testTimeoutSeconds: 0, ownerId: "x" };
        const sandbox = await worker.acquire({}, owner);
        for (const socket of sockets) socket.destroy();
        await sandbox.wait({ timeoutSeconds: 20 });
        await sandbox.exec(["true"]);
      }, 60_000);
    `,
  });
  const run = await runVitest(project, { env: service.env });
  expect(run.tests[0]?.messages.join("\n"), run.output).toMatch(
    /has ended: the connection of its worker \(process \d+\) to the run's coordinator was lost, which counts as a crash/,
  );
  expect(run.account).toMatch(/1 sandbox: 1 reaped after a crash, 0 left/);
});

test("when the local service dies, the next call says that", async () => {
  await using project = await makeProject(bed, {
    "a.test.ts": `
      import { inject } from "vitest";
      import { test } from "@tidybox/vitest";
      test("service gone", async ({ sandbox }) => {
        process.kill(inject("tidybox").coordinator.pid, "SIGKILL");
        await new Promise((resolve) => setTimeout(resolve, 500));
        await sandbox.exec(["true"]);
      }, 60_000);
    `,
  });
  const mark = `mark-service-gone-${process.pid}`;
  const run = await runVitest(project, { env: { TIDYBOX_TEST_MARK: mark } });
  expect(run.tests[0]?.messages.join("\n"), run.output).toMatch(
    /has ended: the run's local service, which is the process of its coordinator, does not answer any more, and its sandboxes have died with it/,
  );
  expect(run.output).toContain("its coordinator was lost");
  await until(
    "processes of the run",
    10,
    () => processesWith(mark),
    (left) => left.length === 0,
  );
});
