import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code } from "@connectrpc/connect";
import { type Connection, Sandbox, removeCleanupHandlers } from "@tidybox/client";
import { ciTag, reap } from "@tidybox/fixtures";
import { describe, expect, test } from "vitest";
import { lastBed } from "../support/last-bed.ts";
import { tidybox } from "../support/observer.ts";
import { connectionTo, type Served, startServe } from "../support/serve.ts";
import { watchCalls } from "../support/watched-calls.ts";

// The services of these tests take their sandboxes along.
removeCleanupHandlers();

const LIMITS = { settleSeconds: 0.05, timeoutSeconds: 20 };

async function leak(connection: Connection, tags: readonly string[], count: number) {
  const all = await Promise.all(
    Array.from({ length: count }, () => Sandbox.run({ tags, connection })),
  );
  return all.map(({ id }) => id);
}

/** Runs the command to its end, whatever its exit status. */
async function ended(service: Served, args: readonly string[], env: Record<string, string> = {}) {
  return tidybox(lastBed(), args, { ...service.env, ...env }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (failed: { code: number; stdout: string; stderr: string }) => failed,
  );
}

describe("reaping by tag", () => {
  test("takes as many calls for forty sandboxes as for four, and touches no other", async () => {
    await using service = await startServe(lastBed());
    const connection = connectionTo(service);
    const [bystander] = await leak(connection, ["tidybox-run-others"], 1);
    const calls = watchCalls(connection);
    const needed: number[] = [];
    for (const count of [4, 40]) {
      const tags = [`leaked-${count}`];
      const ids = await leak(connection, tags, count);
      calls.reset();
      const result = await reap({ connection, tags, ...LIMITS });
      expect(result).toMatchObject({ moreReaped: 0, left: [], unverified: undefined });
      expect(result.reaped.toSorted()).toEqual(ids.toSorted());
      expect(calls.counts.get("PurgeSandboxes")).toBe(1);
      expect(calls.counts.get("DeleteSandbox")).toBeUndefined();
      needed.push(calls.total());
    }
    // Listings go on for the settling time, so one more or less may fit in.
    expect(Math.abs((needed[0] ?? 0) - (needed[1] ?? 0))).toBeLessThanOrEqual(2);
    expect((await service.list()).map(({ id }) => id)).toEqual([bystander]);
  });

  test.each([
    ["PERMISSION_DENIED", Code.PermissionDenied],
    ["UNIMPLEMENTED", Code.Unimplemented],
  ])("deletes one by one, some at once, where a purge is refused: %s", async (_, code) => {
    await using service = await startServe(lastBed());
    const connection = connectionTo(service);
    const ids = await leak(connection, ["leaked"], 40);
    const calls = watchCalls(connection, { PurgeSandboxes: code });
    const result = await reap({ connection, tags: ["leaked"], ...LIMITS });
    expect(result).toMatchObject({ left: [], unverified: undefined });
    expect(result.reaped.toSorted()).toEqual(ids.toSorted());
    expect(calls.counts.get("PurgeSandboxes")).toBe(1);
    expect(calls.counts.get("DeleteSandbox")).toBeGreaterThanOrEqual(40);
    expect(calls.most.get("DeleteSandbox")).toBeLessThanOrEqual(16);
    expect(await service.list()).toEqual([]);
  });

  test("what cannot be deleted is left by its id and with the reason, within the deadline", async () => {
    await using service = await startServe(lastBed(), ["--fail", "purge=internal,delete=internal"]);
    const connection = connectionTo(service);
    const ids = await leak(connection, ["leaked"], 3);
    watchCalls(connection, { PurgeSandboxes: Code.PermissionDenied });
    const startedAt = performance.now();
    const result = await reap({
      connection,
      tags: ["leaked"],
      settleSeconds: 0,
      timeoutSeconds: 3,
    });
    expect((performance.now() - startedAt) / 1000).toBeLessThan(5);
    expect(result.reaped).toEqual([]);
    expect(result.left.map(({ sandboxId }) => sandboxId).toSorted()).toEqual(ids.toSorted());
    for (const { reason } of result.left)
      expect(reason).toMatch(/still running after 3 s: .*delet/i);
  });

  test("gives up at its deadline even where nobody answers", async () => {
    await using service = await startServe(lastBed());
    const connection = connectionTo(service);
    await leak(connection, ["leaked"], 1);
    process.kill(service.pid, "SIGSTOP");
    try {
      const startedAt = performance.now();
      const result = await reap({
        connection,
        tags: ["leaked"],
        settleSeconds: 0,
        timeoutSeconds: 1,
      });
      expect((performance.now() - startedAt) / 1000).toBeLessThan(3);
      expect(result.unverified).toMatch(/within 1 s no listing/);
    } finally {
      process.kill(service.pid, "SIGCONT");
    }
  });
});

describe("tidybox reap", () => {
  const GITHUB = {
    CI: "true",
    GITHUB_ACTIONS: "true",
    GITHUB_RUN_ID: "77",
    GITHUB_RUN_ATTEMPT: "2",
  };
  const tagOf = (attempt: string) =>
    ciTag({ provider: "github", pipeline: "77", attempt, job: undefined });

  test("--ci takes this pipeline's sandboxes and no other attempt's", async () => {
    await using service = await startServe(lastBed());
    const connection = connectionTo(service);
    await leak(connection, [tagOf("2")], 2);
    const [other] = await leak(connection, [tagOf("1")], 1);
    const { code, stderr } = await ended(service, ["reap", "--ci"], GITHUB);
    expect({ code, stderr: stderr.trim() }).toEqual({ code: 0, stderr: "2 stopped, 0 left" });
    expect((await service.list()).map(({ id }) => id)).toEqual([other]);
  });

  test("ends with 1 where something could not be stopped, and says how to try again", async () => {
    await using service = await startServe(lastBed());
    const connection = connectionTo(service);
    await leak(connection, ["leaked"], 1);
    process.kill(service.pid, "SIGKILL");
    const { code, stderr, stdout } = await ended(service, [
      "reap",
      "--tag",
      "leaked",
      "--timeout",
      "2s",
    ]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/not verified: within 2 s no listing could show that nothing is left/);
    expect(stderr).toMatch(/0 stopped, 0 left\ntry again with: npx tidybox reap --tag leaked/);
  });

  test("--lost asks no service, and needs no key, where no run is recorded", async () => {
    const folder = await mkdtemp(join(tmpdir(), "tidybox-test-no-records-"));
    const env = { XDG_STATE_HOME: folder, TMPDIR: folder, HOME: folder };
    try {
      const { stderr } = await tidybox(lastBed(), ["reap", "--lost", "--dry-run"], {
        ...{ CWSANDBOX_BASE_URL: "", CWSANDBOX_API_KEY: "" },
        ...env,
      });
      expect(stderr.trim()).toBe("0 recorded, 0 would be stopped, 0 left");
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test.each([
    ["--ci outside a CI", ["--ci"], /no pipeline .*GITHUB_RUN_ID/],
    ["--lost with another scope", ["--lost", "--run", "x"], /--lost finds its runs/],
    ["--prepared with another scope", ["--prepared", "--ci"], /snapshots, which have no tags/],
    ["no scope", [], /--ci, --lost or --prepared/],
    ["an unreadable age", ["--tag", "x", "--older-than", "soon"], /such as 2h/],
  ])("wrong usage: %s ends with 2", async (_, args, says) => {
    await using service = await startServe(lastBed());
    const { code, stderr } = await ended(service, ["reap", ...args]);
    expect(code).toBe(2);
    expect(stderr).toMatch(says);
  });

  test("--help shows examples and exit statuses", async () => {
    const { stdout } = await tidybox(lastBed(), ["reap", "--help"]);
    expect(stdout).toMatch(/tidybox reap --ci/);
    expect(stdout).toMatch(/Exit status: 0 nothing is left/);
  });
});

test("tidybox list says which run, worker and host a sandbox belongs to", async () => {
  await using service = await startServe(lastBed());
  const connection = connectionTo(service);
  const { id } = await Sandbox.run({
    tags: ["tidybox", "tidybox-run-abc", "tidybox-worker-w1"],
    annotations: { "tidybox.test": "clears\u001b[2J the screen", "tidybox.host": "build-7" },
    connection,
  });
  expect(await service.list()).toMatchObject([{ id, run: "abc", worker: "w1", host: "build-7" }]);
  const { stdout } = await tidybox(lastBed(), ["list"], service.env);
  expect(stdout.split("\n")[0]).toMatch(/SANDBOX +STATE +AGE +TEST +RUN +WORKER +HOST +WHERE/);
  expect(stdout).toMatch(/clears\\x1b\[2J the screen +abc +w1 +build-7 +local/);
  await Sandbox.delete(id, { connection });
  await reap({ connection, tags: ["tidybox-run-abc"], ...LIMITS });
  expect(await service.list()).toEqual([]);
  expect(await service.list(["--all"])).toMatchObject([{ id, state: "terminated" }]);
});
