import { chmodSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startLocalService } from "./local-service.ts";
import { prepareLocalService } from "./prepare-local-service.ts";
import { startTestService, createRunning, sh } from "./testing/test-service.ts";
import { descendantsOf } from "./testing/process-tree.ts";

const before = process.env["TMPDIR"];
let folder: string;

beforeEach(() => {
  folder = mkdtempSync("/tmp/prepare-test-");
  chmodSync(folder, 0o1777);
  process.env["TMPDIR"] = folder;
});

afterEach(() => {
  if (before === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = before;
  rmSync(folder, { recursive: true });
});

test("a service that was prepared gets ready as any other, and leaves nothing", async () => {
  const service = await startTestService({ engine: "process", prepare: true });
  try {
    const id = await createRunning(service.client);
    expect(await sh(service.client, id, "echo works")).toMatchObject({ stdout: "works\n" });
  } finally {
    await service.close();
  }
});

test("what was prepared for nothing is closed without a trace, also twice", async () => {
  const known = new Set(descendantsOf(process.pid));
  const prepared = prepareLocalService({});
  await prepared.workplace(() => {});
  expect(readdirSync(folder)).toHaveLength(1);
  const helper = descendantsOf(process.pid).filter((pid) => !known.has(pid));
  expect(helper).not.toEqual([]);
  await Promise.all([prepared.close(), prepared.close()]);
  expect(readdirSync(folder)).toEqual([]);
  expect(descendantsOf(process.pid).filter((pid) => helper.includes(pid))).toEqual([]);
});

test("a start that is refused closes what was prepared for it", async () => {
  const refused = startLocalService({ maxSandboxes: 0, prepared: prepareLocalService({}) });
  await expect(refused).rejects.toMatchObject({ code: "local_option_invalid" });
  expect(readdirSync(folder)).toEqual([]);
});

test("a data folder's owner cannot be known to what was prepared before", async () => {
  const prepared = prepareLocalService({});
  const refused = startLocalService({ dataFolder: join(folder, "data"), prepared });
  await expect(refused).rejects.toMatchObject({
    code: "local_option_invalid",
    message: expect.stringContaining("dataFolder"),
  });
  expect(readdirSync(folder)).toEqual([]);
});
