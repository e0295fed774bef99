import { execFileSync } from "node:child_process";
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  chmodSync,
} from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { removeLeftovers } from "./leftovers.ts";
import { thisProcess } from "./process-identity.ts";

const GONE = { pid: 2 ** 22 + 1, startTime: "1", bootId: "another boot" };

let parent: string;
let before: string | undefined;
beforeEach(() => {
  parent = mkdtempSync("/tmp/local-test-leftovers-");
  chmodSync(parent, 0o1777);
  before = process.env["TMPDIR"];
  process.env["TMPDIR"] = parent;
});
afterEach(() => {
  if (before === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = before;
  rmSync(parent, { recursive: true });
});

function folder(name: string, owner: unknown): string {
  const path = `${parent}/${name}`;
  mkdirSync(`${path}/sandboxes/x`, { recursive: true, mode: 0o700 });
  if (owner !== undefined) writeFileSync(`${path}/owner.json`, JSON.stringify(owner));
  return path;
}

async function cleaned(): Promise<readonly string[]> {
  const notices: string[] = [];
  await removeLeftovers(({ message }) => void notices.push(message));
  return notices;
}

test("removes the folder of a service that is gone, and only that", async () => {
  const gone = folder("tidybox-gone", GONE);
  const reused = folder("tidybox-reused", { ...thisProcess(), startTime: "1" });
  const alive = folder("tidybox-alive", thisProcess());
  const nobodys = folder("tidybox-nobodys", undefined);
  const odd = folder("tidybox-odd", { pid: "1" });
  const other = folder("other", GONE);
  expect(await cleaned()).toEqual([]);
  expect([gone, reused].map(existsSync)).toEqual([false, false]);
  expect([alive, nobodys, odd, other].map(existsSync)).toEqual([true, true, true, true]);
});

test("does not wait on a fifo, nor follow a link", async () => {
  const fifo = folder("tidybox-fifo", undefined);
  execFileSync("mkfifo", [`${fifo}/owner.json`]);
  const link = folder("tidybox-link", undefined);
  writeFileSync(`${parent}/planted.json`, JSON.stringify(GONE));
  symlinkSync(`${parent}/planted.json`, `${link}/owner.json`);
  symlinkSync(folder("target", GONE), `${parent}/tidybox-linked`);
  expect(await cleaned()).toEqual([]);
  expect([fifo, link, `${parent}/target`].map(existsSync)).toEqual([true, true, true]);
});

test.runIf(process.getuid?.() === 0)(
  "as root removes as the owner, and leaves accounts' folders alone",
  async () => {
    const outside = mkdtempSync("/tmp/local-test-outside-");
    try {
      const dropped = folder("tidybox-dropped", GONE);
      symlinkSync(outside, `${dropped}/sandboxes/link`);
      execFileSync("chown", ["-hR", "2000000123:2000000123", dropped]);
      chmodSync(`${dropped}/sandboxes/x`, 0);
      const nobodys = folder("tidybox-of-nobody", GONE);
      chownSync(nobodys, 65_534, 65_534);
      expect(await cleaned()).toEqual([]);
      expect([dropped, nobodys, outside].map(existsSync)).toEqual([false, true, true]);
    } finally {
      rmSync(outside, { recursive: true });
    }
  },
);
