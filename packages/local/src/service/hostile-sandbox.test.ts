import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Code } from "@connectrpc/connect";
import { ErrorReason, SnapshotState } from "@tidybox/protocol";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { findProgram } from "../engines/find-program.ts";
import {
  createRunning,
  eventually,
  refusalOf,
  sh,
  type SpecInit,
  specOf,
  startTestService,
  type TestService,
} from "../testing/test-service.ts";

const SECRET = "what only the host may know";

/** A race is run for so long, however fast the machine is; at least once. */
const RACE_MILLISECONDS = 3000;

async function forAWhile(round: () => Promise<void>): Promise<void> {
  const end = performance.now() + RACE_MILLISECONDS;
  do await round();
  while (performance.now() < end);
}

/** File calls and snapshots of sandboxes that do what they can to lead them elsewhere. */
describe.runIf(findProgram("bwrap") !== undefined).each(["bubblewrap"] as const)(
  "a hostile sandbox of the engine %s",
  (engine) => {
    let service: TestService;
    let hostFolder: string;
    beforeAll(async () => {
      hostFolder = mkdtempSync("/tmp/local-test-host-");
      chmodSync(hostFolder, 0o777);
      writeFileSync(`${hostFolder}/secret`, SECRET);
      chmodSync(`${hostFolder}/secret`, 0o666);
      service = await startTestService({ engine });
    });
    afterAll(async () => {
      await service.close();
      rmSync(hostFolder, { recursive: true });
    });

    afterEach(async () => void (await service.client.purgeSandboxes({ purgeAll: true })));

    const text = async (sandboxId: string, path: string): Promise<string> =>
      new TextDecoder().decode((await service.client.readFile({ sandboxId, path })).content);

    /** Runs for as long as the sandbox does. */
    const forEver = (sandboxId: string, script: string) =>
      sh(service.client, sandboxId, `(while :; do ${script}; done) >/dev/null 2>&1 &`);

    test("cannot lead a file call out by exchanging what it walks through", async () => {
      const sandboxId = await createRunning(service.client);
      await sh(
        service.client,
        sandboxId,
        `mkdir real && echo mine > real/secret && ln -s ${hostFolder} link && ln -s ${hostFolder}/secret f2 && echo mine > f1`,
      );
      const swap = (one: string, other: string) =>
        `mv -T ${one} swap; mv -T ${other} ${one}; mv -T swap ${other}`;
      await forEver(sandboxId, `${swap("real", "link")}; ${swap("f1", "f2")}`);
      const seen = new Set<string>();
      await forAWhile(async () => {
        for (const path of ["/workspace/real/secret", "/workspace/f1"])
          seen.add(await text(sandboxId, path).catch(() => "refused"));
        for (const path of ["real/secret", "real/made", "f1"]) {
          await service.client
            .writeFile({ sandboxId, path, content: Buffer.from("mine\n") })
            .catch(() => {});
        }
      });
      expect(seen).toContain("mine\n");
      expect([...seen].filter((content) => content.includes(SECRET))).toEqual([]);
      expect(readdirSync(hostFolder)).toEqual(["secret"]);
    });

    test("cannot hold a file call up with a pipe in a file's place", async () => {
      const sandboxId = await createRunning(service.client);
      await sh(
        service.client,
        sandboxId,
        "mkdir d && ln -s d l && echo x > d/file && mkfifo d/pipe",
      );
      await forEver(sandboxId, "mv -T d/file d/x; mv -T d/pipe d/file; mv -T d/x d/pipe");
      // Both ways in: from the host, and by a command inside where a link is in the way.
      for (const path of ["/workspace/d/file", "/workspace/l/file"]) {
        await forAWhile(async () => {
          // A command that looked at the file and opens the pipe waits, but not for longer than its caller.
          const options = { timeoutMs: 500 };
          const content = Buffer.from("x\n");
          await Promise.allSettled([
            service.client.readFile({ sandboxId, path }, options),
            service.client.writeFile({ sandboxId, path, content }, options),
          ]);
        });
      }
      await eventually(async () => {
        const { stdout } = await sh(
          service.client,
          sandboxId,
          "cat /proc/[0-9]*/cmdline | tr '\\0' ' '",
        );
        return (
          !stdout.includes("tidybox-read-file") &&
          !stdout.includes("tidybox-write-file") &&
          !stdout.includes("/l/file")
        );
      });
    });

    test("has sockets, devices and the kernel's files refused or answered, and never waits", async () => {
      const sandboxId = await createRunning(service.client);
      const listen = `require("net").createServer().listen("/tmp/socket")`;
      await sh(service.client, sandboxId, `node -e '${listen}' >/dev/null 2>&1 &`);
      await eventually(
        async () => (await sh(service.client, sandboxId, "test -S /tmp/socket")).exitCode === 0,
      );
      const irregular = ["/tmp/socket", "/dev/zero", "/dev/full", "/dev/random", "/dev/tty"];
      for (const path of irregular) {
        const content = Buffer.from("x");
        for (const call of [
          () => service.client.readFile({ sandboxId, path }),
          () => service.client.writeFile({ sandboxId, path, content }),
        ]) {
          expect(await refusalOf(call()), path).toMatchObject({
            code: Code.FailedPrecondition,
            reason: ErrorReason.FILE_IO_FAILED,
          });
        }
      }
      for (const path of ["/proc/kmsg", "/proc/1/mem", "/proc/sysrq-trigger", "/proc/self/mem"]) {
        const write = service.client.writeFile({ sandboxId, path, content: Buffer.from("h") });
        expect((await refusalOf(write)).code, path).not.toBe(Code.DeadlineExceeded);
      }
    });

    test("reaches no file of the host through the links that the kernel makes", async () => {
      const sandboxId = await createRunning(service.client);
      await sh(service.client, sandboxId, "ln -s /proc/self/root r; ln -s /proc/self/cwd c");
      const roots = ["/proc/self/root", "/proc/1/root", "/proc/self/cwd", "/proc/1/cwd"];
      const descriptors = Array.from({ length: 40 }, (_, fd) => [
        `/proc/self/fd/${fd}`,
        `/proc/1/fd/${fd}`,
      ]).flat();
      const paths = [
        ...roots.map((root) => `${root}${hostFolder}/secret`),
        ...["r", "c"].map((link) => `/workspace/${link}${hostFolder}/secret`),
        ...descriptors.map((path) => `${path}${hostFolder}/secret`),
        ...descriptors,
      ];
      const read = await Promise.all(
        paths.map((path) => text(sandboxId, path).catch(() => "refused")),
      );
      expect(read.filter((content) => content.includes(SECRET))).toEqual([]);
    });

    test("costs little with a file of a terabyte of nothing, read or kept", async () => {
      const sandboxId = await createRunning(service.client, withData());
      await sh(service.client, sandboxId, "truncate -s 1T /data/huge && echo end >> /data/huge");
      const refusal = await refusalOf(service.client.readFile({ sandboxId, path: "/data/huge" }));
      expect(refusal).toMatchObject({
        reason: ErrorReason.FILE_TOO_LARGE,
        metadata: { size_bytes: String(1024 ** 4 + 4) },
      });
      const fileSystemSnapshotId = await snapshotOf(sandboxId);
      const { sizeBytes } = await service.client.getFileSystemSnapshot({ fileSystemSnapshotId });
      expect(Number(sizeBytes)).toBeLessThan(1024 * 1024);
      const restored = await createRunning(service.client, withData(fileSystemSnapshotId));
      const { stdout } = await sh(service.client, restored, "stat -c %s /data/huge; du -k /data");
      expect(stdout).toMatch(new RegExp(`^${1024 ** 4 + 4}\n\\d{1,2}\t`));
    });

    test("may have names with newlines and other oddities, which are names and no more", async () => {
      const sandboxId = await createRunning(service.client, withData());
      const names = ["new\nline", "-rf", "--help", "$(touch x)", "a'b\"c", "*", "\u202Eabc", " "];
      for (const [index, name] of names.entries()) {
        const path = `/data/${name}`;
        await service.client.writeFile({ sandboxId, path, content: Buffer.from(`${index}`) });
        expect(await text(sandboxId, path)).toBe(`${index}`);
      }
      await sh(service.client, sandboxId, "ln -s /data /workspace/link");
      expect(await text(sandboxId, "/workspace/link/new\nline")).toBe("0");
      const restored = await createRunning(service.client, withData(await snapshotOf(sandboxId)));
      for (const [index, name] of names.entries())
        expect(await text(restored, `/data/${name}`)).toBe(`${index}`);
      expect((await sh(service.client, restored, "ls /data | wc -l")).stdout.trim()).toBe(
        `${names.length + 1}`,
      );
    });

    test("cannot bring files of the host into a snapshot by exchanging folders for links", async () => {
      const sandboxId = await createRunning(service.client, withData());
      await sh(
        service.client,
        sandboxId,
        `cd /data; mkdir a; for n in 1 2 3 4 5 6 7 8 9; do mkdir a/$n; echo x > a/$n/secret; done; ln -s ${hostFolder} b`,
      );
      await forEver(sandboxId, "cd /data; mv -T a c; mv -T b a; mv -T c b");
      for (let round = 0; round < 3; round += 1) {
        const restored = await createRunning(service.client, withData(await snapshotOf(sandboxId)));
        const { stdout } = await sh(service.client, restored, "cat $(find /data -type f)");
        expect(stdout).not.toContain(SECRET);
      }
    });

    test("can signal nobody outside: neither the service nor another sandbox", async () => {
      const neighbour = await createRunning(service.client);
      await sh(service.client, neighbour, "sleep 600 >/dev/null 2>&1 & echo $! > pid");
      const sandboxId = await createRunning(service.client);
      const pids = [service.process.pid, process.pid].join(" ");
      const { stdout } = await sh(
        service.client,
        sandboxId,
        `for pid in ${pids}; do kill -9 $pid 2>/dev/null && echo killed; done; true`,
      );
      expect(stdout).toBe("");
      await sh(service.client, sandboxId, "kill -9 -1").catch(() => {});
      const left = await sh(service.client, neighbour, "kill -0 $(cat pid) && echo alive");
      expect(left.stdout).toBe("alive\n");
      expect(service.process.exitCode).toBeNull();
    });

    test("has changed nothing of the host by all of that", () => {
      expect(readdirSync(hostFolder)).toEqual(["secret"]);
      expect(readFileSync(`${hostFolder}/secret`, "utf8")).toBe(SECRET);
    });

    function withData(restoreFromSnapshotId = ""): SpecInit {
      return specOf(
        { volumeMounts: [{ volume: "data", mountPath: "/data" }] },
        {
          volumes: [
            { name: "data", source: { case: "scratch", value: { restoreFromSnapshotId } } },
          ],
        },
      );
    }

    async function snapshotOf(sandboxId: string): Promise<string> {
      const { fileSystemSnapshotId } = await service.client.createFileSystemSnapshot({ sandboxId });
      await eventually(async () => {
        const { state, stateReason } = await service.client.getFileSystemSnapshot({
          fileSystemSnapshotId,
        });
        expect(state, stateReason).not.toBe(SnapshotState.FAILED);
        return state === SnapshotState.READY;
      });
      return fileSystemSnapshotId;
    }
  },
);

/** It keeps its sandboxes' files apart by name only, and follows no link for a caller. */
test("the engine process follows no link of a sandbox, and no pipe holds it up", async () => {
  const hostFolder = mkdtempSync("/tmp/local-test-host-");
  chmodSync(hostFolder, 0o777);
  writeFileSync(`${hostFolder}/secret`, SECRET);
  const service = await startTestService({ engine: "process" });
  try {
    const sandboxId = await createRunning(service.client);
    const script = `ln -s ${hostFolder} d; ln -s ${hostFolder}/secret f; mkfifo p; truncate -s 1T huge`;
    await sh(service.client, sandboxId, script);
    const content = Buffer.from("made");
    const paths = ["f", "d/secret", "d/made", "/proc/self/environ", "p", "/dev/zero", "huge"];
    for (const path of [...paths, "../../../../etc/passwd", "/workspace/../../etc/passwd"]) {
      await refusalOf(service.client.readFile({ sandboxId, path }));
      if (path === "huge") continue;
      await refusalOf(service.client.writeFile({ sandboxId, path, content }));
    }
    // Its /tmp is a folder of its own, whatever the host has under that name.
    const read = service.client.readFile({ sandboxId, path: `${hostFolder}/secret` });
    expect((await refusalOf(read)).reason).toBe(ErrorReason.FILE_NOT_FOUND);
    expect(readdirSync(hostFolder)).toEqual(["secret"]);
    expect(readFileSync(`${hostFolder}/secret`, "utf8")).toBe(SECRET);
    const path = "new\nline";
    await service.client.writeFile({ sandboxId, path, content });
    const answer = await service.client.readFile({ sandboxId, path });
    expect(Buffer.from(answer.content)).toEqual(content);
  } finally {
    await service.close();
    rmSync(hostFolder, { recursive: true });
  }
});
