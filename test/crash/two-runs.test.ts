import { readFile, writeFile } from "node:fs/promises";
import { expect, inject, test } from "vitest";
import { makeProject } from "../support/bed.ts";
import { processesWith, until } from "../support/observer.ts";
import { startVitest } from "../support/runner.ts";
import { startServe } from "../support/serve.ts";

const HOLDING = `
import { existsSync, writeFileSync } from "node:fs";
import { test } from "@tidybox/vitest";
test("holds", async ({ sandbox }) => {
  writeFileSync("ready.txt", sandbox.id);
  while (!existsSync("go-on")) await new Promise((resolve) => setTimeout(resolve, 50));
  await sandbox.exec(["true"], { check: true });
}, 60_000);
`;

test("two runs on one account: the end of one, or its death, does not touch the other", async () => {
  const [bed] = inject("beds").slice(-1);
  if (bed === undefined) throw new Error("no bed");
  await using service = await startServe(bed, ["--max-sandboxes", "20"]);
  await using first = await makeProject(bed, { "holds.test.ts": HOLDING });
  await using second = await makeProject(bed, { "holds.test.ts": HOLDING });
  await using third = await makeProject(bed, { "holds.test.ts": HOLDING });
  const mark = `mark-two-${process.pid}`;
  const env = { ...service.env, TIDYBOX_TEST_MARK: mark };
  const runs = [first, second, third].map((project) => startVitest(project, { env }));
  try {
    const ids = await Promise.all(
      [first, second, third].map(async ({ directory }) => {
        const ready = () => readFile(`${directory}/ready.txt`, "utf8").catch(() => "");
        return (await until("a test under way", 40, ready, (text) => text !== "")).answer;
      }),
    );
    expect(new Set(ids).size).toBe(3);
    // The first ends in order, the second dies with everything its group holds.
    await writeFile(`${first.directory}/go-on`, "");
    expect((await runs[0]?.ended)?.account).toMatch(
      /1 sandbox: 1 stopped by tests, 0 left +local /,
    );
    runs[1]?.signal("SIGKILL", "group");
    const active = () => service.list().then((all) => all.map(({ id }) => id));
    await until(
      "the dead run's sandbox",
      10,
      active,
      (all) => ids[1] !== undefined && !all.includes(ids[1]),
    );
    expect(await active()).toEqual([ids[2]]);
    await writeFile(`${third.directory}/go-on`, "");
    const last = await runs[2]?.ended;
    expect(last?.exitCode, last?.output).toBe(0);
    expect(await active()).toEqual([]);
    await until(
      "processes of the runs",
      10,
      () => processesWith(mark),
      (left) => left.length === 0,
    );
  } finally {
    for (const { pid } of processesWith(mark)) process.kill(pid, "SIGKILL");
  }
});
