import { readFile } from "node:fs/promises";
import { describe, expect, inject, test } from "vitest";
import { makeProject } from "../support/bed.ts";
import { listFromOutside, processesWith, until } from "../support/observer.ts";
import { startVitest } from "../support/runner.ts";

const DOOMED = `
import { writeFileSync } from "node:fs";
import { test } from "@tidybox/vitest";
test("doomed", async ({ sandbox, createSandbox }) => {
  const other = await createSandbox();
  writeFileSync("doomed.json", JSON.stringify({ pid: process.pid, ids: [sandbox.id, other.id] }));
  await sandbox.exec(["sleep", "1000"]);
}, 60_000);
`;

const BYSTANDER = `
import { existsSync, writeFileSync } from "node:fs";
import { test } from "@tidybox/vitest";
test("bystander", async ({ sandbox }) => {
  writeFileSync("bystander.json", JSON.stringify({ pid: process.pid, id: sandbox.id }));
  while (!existsSync("go-on")) await new Promise((resolve) => setTimeout(resolve, 50));
  await sandbox.exec(["true"], { check: true });
}, 60_000);
`;

describe.each(inject("beds"))("Vitest $version", (bed) => {
  test("a worker's SIGKILL ends its own sandboxes within 5 s and touches no other's", async () => {
    await using project = await makeProject(bed, {
      "doomed.test.ts": DOOMED,
      "bystander.test.ts": BYSTANDER,
    });
    const mark = `mark-worker-${bed.version}-${process.pid}`;
    const vitest = startVitest(project, {
      env: { TIDYBOX_TEST_MARK: mark },
      args: ["--pool=forks", "--maxWorkers=2"],
    });
    try {
      const read = async <T>(name: string) => {
        const path = `${project.directory}/${name}`;
        const { answer } = await until(
          name,
          40,
          () => readFile(path, "utf8").catch(() => ""),
          (text) => text.endsWith("}"),
        );
        return JSON.parse(answer) as T;
      };
      const doomed = await read<{ pid: number; ids: string[] }>("doomed.json");
      const bystander = await read<{ pid: number; id: string }>("bystander.json");
      expect(bystander.pid).not.toBe(doomed.pid);

      process.kill(doomed.pid, "SIGKILL");
      const active = () =>
        listFromOutside(bed, [], { TMPDIR: project.temp }).then((all) =>
          all.filter(({ state }) => state === "running").map(({ id }) => id),
        );
      if (bed.version === "3.2") {
        // Vitest 3.2 loses the whole run with its worker ("Channel closed"): the run's reaping follows.
        await vitest.ended;
        const { seconds } = await until(
          "sandboxes of the run",
          10,
          active,
          (ids) => ![...doomed.ids, bystander.id].some((id) => ids.includes(id)),
        );
        console.info(
          `Vitest ${bed.version}: run lost with its worker, nothing left after ${seconds.toFixed(2)} s`,
        );
      } else {
        const { seconds, answer } = await until(
          "sandboxes of the worker",
          5,
          active,
          (ids) => !doomed.ids.some((id) => ids.includes(id)),
        );
        console.info(
          `Vitest ${bed.version}: sandboxes of the killed worker gone after ${seconds.toFixed(2)} s`,
        );
        expect(answer).toContain(bystander.id);
        const { writeFile } = await import("node:fs/promises");
        await writeFile(`${project.directory}/go-on`, "");
        const run = await vitest.ended;
        expect(run.tests.find(({ name }) => name === "bystander")?.status, run.output).toBe(
          "passed",
        );
        expect(run.exitCode).toBe(1);
        expect(run.account).toMatch(
          /3 sandboxes: 1 stopped by tests, 2 reaped after a crash, 0 left/,
        );
      }
      await until(
        "processes of the run",
        10,
        () => processesWith(mark),
        (left) => left.length === 0,
      );
    } finally {
      for (const { pid } of processesWith(mark)) process.kill(pid, "SIGKILL");
    }
  });
});
