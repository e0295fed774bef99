import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { describe, expect, inject, test } from "vitest";
import { configFile, makeProject } from "../support/bed.ts";
import { processesWith, serviceFolders, until } from "../support/observer.ts";
import { startVitest } from "../support/runner.ts";

/** Recognised in the process table, from outside. */
const SECONDS = 400_000 + process.pid;

const BUSY = (name: string) => `
import { appendFileSync } from "node:fs";
import { test } from "@tidybox/vitest";
test("${name}", async ({ sandbox, createSandbox }) => {
  await createSandbox();
  appendFileSync("ready.txt", sandbox.id + "\\n");
  // A grandchild of its own session: what a plain kill of the process group would miss.
  await sandbox.exec(["sh", "-c", "setsid sleep ${SECONDS} & sleep ${SECONDS}"]);
}, 60_000);
`;

/** A setup file of the user's own, which comes before ours. */
const SLOW_SETUP = `
import { writeFileSync } from "node:fs";
writeFileSync("starting.txt", "");
await new Promise((resolve) => setTimeout(resolve, 1500));
`;

const STRIKES = [
  ["SIGKILL", "group"],
  ["SIGKILL", "runner"],
  ["SIGTERM", "runner"],
  ["SIGINT", "group"],
  ["SIGHUP", "runner"],
] as const;

describe.each(inject("beds"))("Vitest $version", (bed) => {
  test.each(STRIKES)("after %s to the %s nothing is left within 10 s", async (signal, to) => {
    await using project = await makeProject(bed, {
      "a.test.ts": BUSY("a"),
      "b.test.ts": BUSY("b"),
    });
    const mark = `mark-runner-${bed.version}-${signal}-${to}-${process.pid}`;
    const vitest = startVitest(project, {
      env: { TIDYBOX_TEST_MARK: mark },
      args: ["--pool=forks", "--maxWorkers=2"],
    });
    try {
      const ready = () => readFile(`${project.directory}/ready.txt`, "utf8").catch(() => "");
      await until(
        "both tests under way",
        40,
        ready,
        (text) => text.trim().split("\n").length === 2,
      );
      const [folder] = serviceFolders(project);
      expect(folder).toBeDefined();
      vitest.signal(signal, to);
      const left = () => ({
        processes: [
          ...processesWith(mark),
          ...processesWith(folder ?? ""),
          ...processesWith(`sleep\u0000${SECONDS}`),
        ],
        folders: serviceFolders(project),
      });
      const { seconds } = await until(
        "the run",
        10,
        left,
        (all) => all.processes.length + all.folders.length === 0,
      );
      expect(await readFile("/proc/mounts", "utf8")).not.toContain(folder);
      console.info(
        `Vitest ${bed.version}, ${signal} to the ${to}: nothing left after ${seconds.toFixed(2)} s`,
      );
      await vitest.ended;
    } finally {
      for (const { pid } of processesWith(mark)) process.kill(pid, "SIGKILL");
    }
  });

  test("after SIGKILL of the runner while its workers start nothing is left within 10 s", async () => {
    await using project = await makeProject(bed, {
      "a.test.ts": BUSY("a"),
      "slow-setup.ts": SLOW_SETUP,
      "vitest.config.ts": configFile("{}", '{ setupFiles: ["./slow-setup.ts"] }'),
    });
    const mark = `mark-runner-starting-${bed.version}-${process.pid}`;
    const vitest = startVitest(project, {
      env: { TIDYBOX_TEST_MARK: mark },
      args: ["--pool=forks"],
    });
    try {
      const starting = () => existsSync(`${project.directory}/starting.txt`);
      await until("a worker that starts", 40, starting, (is) => is);
      vitest.signal("SIGKILL", "runner");
      await until(
        "the run",
        10,
        () => ({ processes: processesWith(mark), folders: serviceFolders(project) }),
        (left) => left.processes.length + left.folders.length === 0,
      );
      await vitest.ended;
    } finally {
      for (const { pid } of processesWith(mark)) process.kill(pid, "SIGKILL");
    }
  });
});
