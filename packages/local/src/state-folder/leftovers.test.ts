import { execFileSync } from "node:child_process";
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  chmodSync,
} from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createRunning, sh, startTestService, stateFolders } from "../testing/test-service.ts";
import { serveAccess } from "./access-socket.ts";
import { removeLeftovers } from "./leftovers.ts";
import { thisProcess } from "./process-identity.ts";

const GONE = { pid: 2 ** 22 + 1, startTime: "1", bootId: "another boot", pidNamespace: "" };

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

test("leaves a folder alone whose service lives in another pid namespace", async () => {
  // No such process is to be seen from here.
  const owner = { ...thisProcess(), pid: GONE.pid, pidNamespace: "pid:[1]" };
  const foreign = folder("tidybox-foreign", owner);
  expect(await cleaned()).toEqual([]);
  expect(existsSync(foreign)).toBe(true);
});

test("leaves a folder alone at whose door somebody answers", async () => {
  const living = folder("tidybox-living", GONE);
  const door = await serveAccess(living, { baseUrl: "http://127.0.0.1:1", token: "t", pid: 1 });
  expect(await cleaned()).toEqual([]);
  expect(existsSync(living)).toBe(true);
  door.close();
  await cleaned();
  expect(existsSync(living)).toBe(false);
});

test.runIf(process.getuid?.() === 0)(
  "leaves a running service of another container alone",
  async () => {
    const service = await startTestService({ engine: "process" }, [
      ...["/usr/bin/unshare", "--pid", "--fork", "--mount-proc", "--"],
    ]);
    try {
      process.env["TMPDIR"] = service.folder;
      // Somebody who cannot hear it has only its owner's word.
      const [path = ""] = stateFolders(service);
      renameSync(`${path}/access.sock`, `${path}/away.sock`);
      expect(await cleaned()).toEqual([]);
      const sandboxId = await createRunning(service.client);
      expect(await sh(service.client, sandboxId, "echo here")).toMatchObject({ stdout: "here\n" });
    } finally {
      await service.close();
    }
  },
);

test("removes what was killed before it could name itself, once it is old", async () => {
  const old = new Date(Date.now() - 120_000);
  const made = (name: string, write?: (path: string) => void): string => {
    const path = `${parent}/${name}`;
    mkdirSync(path, { mode: 0o700 });
    write?.(path);
    utimesSync(path, old, old);
    return path;
  };
  const empty = made("tidybox-aB3dE6");
  const nameless = made("tidybox-aB3dE7", (path) => writeFileSync(`${path}/owner.json`, ""));
  const filled = made("tidybox-aB3dE8", (path) => writeFileSync(`${path}/x`, ""));
  const odd = made("tidybox-aB3dE9", (path) => writeFileSync(`${path}/owner.json`, "?"));
  const named = made("tidybox-my-own-folder");
  const young = made("tidybox-aB3dE0");
  utimesSync(young, new Date(), new Date());
  expect(await cleaned()).toEqual([]);
  expect([empty, nameless].map(existsSync)).toEqual([false, false]);
  expect([filled, odd, named, young].map(existsSync)).toEqual([true, true, true, true]);
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
      execFileSync("chown", ["-hR", "2100000123:2100000123", dropped]);
      chmodSync(`${dropped}/sandboxes/x`, 0);
      const nobodys = folder("tidybox-of-nobody", GONE);
      chownSync(nobodys, 65_534, 65_534);
      // Of a directory service: in no file of this machine, and nobody's but their own.
      const remote = [1_500_000, 1_879_048_500, 2_000_100_000].map((id) => {
        const path = folder(`tidybox-of-${id}`, GONE);
        chownSync(path, id, id);
        return path;
      });
      const group = folder("tidybox-of-a-group", GONE);
      chownSync(group, 2_100_000_123, 100);
      expect(await cleaned()).toEqual([]);
      expect([dropped, outside].map(existsSync)).toEqual([false, true]);
      expect([nobodys, ...remote, group].filter(existsSync)).toEqual([nobodys, ...remote, group]);
    } finally {
      rmSync(outside, { recursive: true });
    }
  },
);
