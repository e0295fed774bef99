import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { lastBed } from "../support/last-bed.ts";
import { tidybox } from "../support/observer.ts";
import { connectionTo, startServe } from "../support/serve.ts";
import { Sandbox, removeCleanupHandlers } from "@tidybox/client";

// The services of these tests take their sandboxes along.
removeCleanupHandlers();

test("serve prints address and key, list shows what is there, reap stops that and nothing else", async () => {
  const bed = lastBed();
  await using service = await startServe(bed);
  const connection = connectionTo(service);
  const mine = await Sandbox.run({
    tags: ["mine", "tidybox-run-abc"],
    annotations: { "tidybox.test": "my test" },
    connection,
  });
  const also = await Sandbox.run({ tags: ["mine"], connection });
  const other = await Sandbox.run({ tags: ["other"], connection });

  const listed = await service.list();
  expect(listed.map(({ id }) => id).toSorted()).toEqual([mine.id, also.id, other.id].toSorted());
  expect(listed.find(({ id }) => id === mine.id)).toMatchObject({
    state: "running",
    test: "my test",
  });
  expect((await service.list(["--run", "abc"])).map(({ id }) => id)).toEqual([mine.id]);
  const { stdout: table } = await tidybox(bed, ["list", "--tag", "other"], service.env);
  expect(table).toContain(other.id);
  expect(table).not.toContain(mine.id);
  // What it is, and not what it stands in for.
  expect(table).toMatch(new RegExp(`${other.id} .* local$`, "m"));

  const dry = await tidybox(bed, ["reap", "--tag", "mine", "--dry-run", "--json"], service.env);
  expect(JSON.parse(dry.stdout)).toMatchObject({ dryRun: true, left: [] });
  expect(await service.list()).toHaveLength(3);

  const { stdout } = await tidybox(bed, ["reap", "--tag", "mine", "--json"], service.env);
  const reaped = JSON.parse(stdout) as { reaped: string[]; left: string[] };
  expect(reaped.reaped.toSorted()).toEqual([mine.id, also.id].toSorted());
  expect(reaped.left).toEqual([]);
  expect((await service.list()).map(({ id }) => id)).toEqual([other.id]);

  const old = await tidybox(
    bed,
    ["reap", "--tag", "other", "--older-than", "1h", "--json"],
    service.env,
  );
  expect(JSON.parse(old.stdout)).toMatchObject({ reaped: [] });
  expect(await service.list()).toHaveLength(1);
});

test("list and reap find local services of this user without any variable", async () => {
  const bed = lastBed();
  await using service = await startServe(bed);
  const connection = connectionTo(service);
  const sandbox = await Sandbox.run({ tags: ["found-locally"], connection });
  const { stdout } = await tidybox(bed, ["list", "--tag", "found-locally", "--json"]);
  expect(JSON.parse(stdout)).toMatchObject([{ id: sandbox.id }]);
  await tidybox(bed, ["reap", "--tag", "found-locally"]);
  expect(await service.list()).toEqual([]);
});

test("the key is in nobody's command line", async () => {
  await using service = await startServe(lastBed());
  const command = await readFile(`/proc/${service.pid}/cmdline`, "utf8");
  expect(command).not.toContain(service.env["CWSANDBOX_API_KEY"]);
});

test.each([
  ["no scope", ["reap"], /--run|--tag/],
  ["an unknown command", ["rap"], /unknown command/],
  ["an unknown option", ["list", "--nope"], /unknown option/],
  ["an unknown engine", ["serve", "--engine", "firecracker"], /bubblewrap/],
])("wrong usage (%s) ends with status 2 and says why", async (_, args, says) => {
  const error = await tidybox(lastBed(), args).then(
    () => undefined,
    (failed: { code: number; stderr: string }) => failed,
  );
  expect(error?.code).toBe(2);
  expect(error?.stderr).toMatch(says);
});
