import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync, readlinkSync } from "node:fs";
import { State } from "@tidybox/protocol";
import { expect, test, vi } from "vitest";
import { sandboxRecord, startFaultService } from "../testing/fault-service.ts";
import { startScript } from "../testing/script.ts";
import { helperFile } from "./helper-file.ts";
import { encodeMessages } from "./helper-messages.ts";

/** In an `exit` listener after ours: what the helper looks like from its first moment on. */
const LOOK = `
  const { readFileSync, readdirSync } = await import("node:fs");
  process.on("exit", () => {
    for (const pid of readdirSync("/proc").filter((name) => /^\\d+$/.test(name))) {
      try {
        if (readFileSync("/proc/" + pid + "/stat", "utf8").split(") ").at(-1).split(" ")[1] !== String(process.pid)) continue;
        say("helper=" + JSON.stringify({ pid: Number(pid), argv: readFileSync("/proc/" + pid + "/cmdline", "utf8") }));
      } catch {}
    }
  });
`;

function fieldsOf(pid: number): readonly string[] {
  return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
}

function streamsOf(pid: number): readonly string[] {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).flatMap((name) => {
    try {
      return [readlinkSync(`${folder}/${name}`)];
    } catch {
      return [];
    }
  });
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return fieldsOf(pid)[0] !== "Z";
  } catch {
    return false;
  }
}

test("the helper shows no secret, holds nothing of its parent, outlives signals and ends by itself", async (context) => {
  if (process.platform !== "linux") context.skip("reads /proc");
  const alive = new Set<string>();
  let deletes = 0;
  let release = () => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  await using service = await startFaultService({
    createSandbox: () => {
      alive.add("sb-1");
      return sandboxRecord(State.RUNNING);
    },
    deleteSandbox: async ({ sandboxId }) => {
      deletes += 1;
      await released;
      alive.delete(sandboxId);
      return {};
    },
  });
  const script = startScript(
    `${LOOK}
    await Sandbox.run({ tags, environment: { OTHER: "spec-secret" } });
    say("streams=" + JSON.stringify([1, 2].map((n) => process.getBuiltinModule("node:fs").readlinkSync("/proc/self/fd/" + n))));
    process.exit(3);`,
    { ...service, tag: "one", env: { UNRELATED_TOKEN: "other-secret" } },
  );
  // Its streams are at their end: nobody else holds them.
  const end = await script.ended;
  expect(end.status).toBe(3);
  const { pid, argv } = JSON.parse(/helper=(.*)/.exec(end.stderr)?.[1] ?? "{}") as {
    pid: number;
    argv: string;
  };
  const parentStreams = JSON.parse(/streams=(.*)/.exec(end.stderr)?.[1] ?? "[]") as string[];
  await vi.waitFor(() => expect(deletes).toBe(1), { timeout: 10_000 });

  expect(argv).toMatch(/cleanup-helper/);
  const seen =
    argv +
    readFileSync(`/proc/${pid}/cmdline`, "utf8") +
    readFileSync(`/proc/${pid}/environ`, "utf8");
  for (const secret of ["secret-key", "spec-secret", "other-secret", "CWSANDBOX"])
    expect(seen).not.toContain(secret);
  expect(parentStreams).toHaveLength(2);
  for (const stream of parentStreams) expect(streamsOf(pid)).not.toContain(stream);
  expect(readlinkSync(`/proc/${pid}/cwd`)).toBe("/");
  // Its process group and its session are its own.
  expect(fieldsOf(pid).slice(2, 4)).toEqual([String(pid), String(pid)]);

  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.kill(pid, signal);
  release();
  await vi.waitFor(() => expect(isThere(pid)).toBe(false), { timeout: 10_000 });
  expect([...alive]).toEqual([]);
});

test("where nothing can be started, what may be left is said, and the status is kept", async () => {
  await using service = await startFaultService({
    createSandbox: () => sandboxRecord(State.RUNNING),
  });
  const script = startScript(
    `await Sandbox.run({ tags }); Object.defineProperty(process, "execPath", { value: "/nowhere/node" }); process.exit(3);`,
    { ...service, tag: "one" },
  );
  const end = await script.ended;
  expect(end.status).toBe(3);
  expect(end.stderr).toMatch(
    /^tidybox: 1 sandbox could not be stopped:\n {2}sb-1: no process could be started/,
  );
});

test("a handover that was cut off in the middle of a line stops what came whole", async () => {
  const deleted: string[] = [];
  await using service = await startFaultService({
    deleteSandbox: ({ sandboxId }) => {
      deleted.push(sandboxId);
      return {};
    },
  });
  const helper = spawn(process.execPath, [helperFile()], { stdio: ["pipe", "ignore", "inherit"] });
  const bytes = encodeMessages(
    ["a", "b", "c", "d"].map((sandboxId) => ({
      kind: "stop",
      key: sandboxId,
      handover: {
        kind: "sandbox",
        sandboxId,
        service: { baseUrl: service.baseUrl, apiKey: "key", wandb: false },
      },
    })),
  );
  helper.stdin.write(encodeMessages([{ kind: "gone", key: "a" }]));
  helper.stdin.write(bytes.subarray(0, -20));
  helper.stdin.end();
  const [code] = (await once(helper, "exit")) as [number | null];
  expect(code).toBe(0);
  expect(deleted.toSorted()).toEqual(["a", "b", "c"]);
});
