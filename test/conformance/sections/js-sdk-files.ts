import { randomUUID } from "node:crypto";
import { expect } from "vitest";
import {
  ErrorReason,
  FILE_TRANSFER_STDERR_BYTES,
  LogStreamErrorCode,
  SnapshotState,
  SnapshotTrigger,
  UNARY_FILE_CAP_BYTES,
} from "@tidybox/protocol";
import {
  eventually,
  refusalOf,
  run,
  sh,
} from "../../../packages/local/src/testing/test-service.ts";
import { section } from "../contract.ts";
import { fed, patterned, slices, streamed } from "../exec-streams.ts";
import { jsRead, jsWrite, sizeProbe, streamedWrite } from "../file-commands.ts";
import { folderOf } from "../inside-sandbox.ts";
import { errorOf, readLog, readLogUntil, textOf } from "../log-streams.ts";
import { keepAlive, runAsSdk } from "../sdk-dialects.ts";
import { LearnedCap, readOrSize } from "../unary-files.ts";
import { NEEDS_VOLUMES, WITH_WORKSPACE } from "../workspace-volume.ts";

const MEBIBYTE = 1024 * 1024;
const LARGE = UNARY_FILE_CAP_BYTES + 54_321;

/** The same SDK: files, logs, snapshots. */
export const jsSdkFiles = section("JavaScript SDK", (says) => {
  says("a batch of files: absolute paths, many unary calls at once", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await runAsSdk(context, keepAlive("-lc"));
    const folder = await folderOf(sandboxes, sandboxId);
    const paths = Array.from({ length: 20 }, (_, index) => `${folder}/batch/file ${index}`);
    await Promise.all(
      paths.map((path) => sandboxes.writeFile({ sandboxId, path, content: Buffer.from(path) })),
    );
    const read = await Promise.all(paths.map((path) => sandboxes.readFile({ sandboxId, path })));
    expect(read.map(({ content }) => Buffer.from(content).toString())).toEqual(paths);
  });

  says(
    "a large buffered write goes by a temporary file that takes the target's place",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await runAsSdk(context, keepAlive("-lc"));
      const path = `${await folderOf(sandboxes, sandboxId)}/large`;
      await sandboxes.writeFile({ sandboxId, path, content: Buffer.from("old") });
      const content = patterned(LARGE);
      const cap = new LearnedCap(99 * MEBIBYTE);
      const refusal = await refusalOf(sandboxes.writeFile({ sandboxId, path, content }));
      cap.learn(refusal);
      expect(cap.bytes).toBe(UNARY_FILE_CAP_BYTES);
      const init = { sandboxId, command: [...jsWrite(path, LARGE)] };
      expect(await fed(sandboxes, init, slices(content, 64 * 1024))).toMatchObject({ exitCode: 0 });
      const listed = await sh(sandboxes, sandboxId, "ls -A; stat -c %s large");
      expect(listed.stdout).toBe(`large\n${LARGE}\n`);
    },
  );

  says(
    "a buffered write that gets too little leaves the old target and no temporary file",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await runAsSdk(context, keepAlive("-lc"));
      const path = `${await folderOf(sandboxes, sandboxId)}/file`;
      await sandboxes.writeFile({ sandboxId, path, content: Buffer.from("old") });
      const command = [...jsWrite(path, 1000)];
      const short = await fed(sandboxes, { sandboxId, command }, [Buffer.alloc(999)]);
      expect(short.exitCode).toBe(1);
      const { content } = await sandboxes.readFile({ sandboxId, path });
      expect(Buffer.from(content).toString()).toBe("old");
      expect((await sh(sandboxes, sandboxId, "ls -A")).stdout).toBe("file\n");
    },
  );

  says(
    "a large buffered read: the size comes with the refusal, so there is no probe",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await runAsSdk(context, keepAlive("-lc"));
      const path = `${await folderOf(sandboxes, sandboxId)}/large`;
      await sh(
        sandboxes,
        sandboxId,
        `head -c ${LARGE} /dev/urandom > large; sha256sum < large > sum`,
      );
      const sizeBytes = await readOrSize(sandboxes, { sandboxId, path }, new LearnedCap());
      const ended = await streamed(sandboxes, sandboxId, ...jsRead(path));
      expect([ended.exitCode, ended.stdout.length]).toEqual([0, sizeBytes]);
      const again = await fed(sandboxes, { sandboxId, command: ["sha256sum"] }, [ended.stdout]);
      expect(again.stdout.toString()).toBe((await sh(sandboxes, sandboxId, "cat sum")).stdout);
    },
  );

  says("a streamed write sends chunks as they come, large and small", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await runAsSdk(context, keepAlive("-lc"));
    const path = `${await folderOf(sandboxes, sandboxId)}/chunks`;
    const chunks = [1, 5_000_000, 3, 70_000, 1_500_000].map((size) => patterned(size));
    const init = { sandboxId, command: [...streamedWrite(path)] };
    expect(await fed(sandboxes, init, chunks)).toMatchObject({ exitCode: 0 });
    const { content } = await sandboxes.readFile({ sandboxId, path });
    expect(Buffer.concat(chunks).equals(content)).toBe(true);
  });

  says(
    "a streamed read: the probe's size first, then the script with as many bytes",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await runAsSdk(context, keepAlive("-lc"));
      const path = `${await folderOf(sandboxes, sandboxId)}/some file`;
      await sandboxes.writeFile({ sandboxId, path, content: patterned(3 * MEBIBYTE) });
      const probed = await streamed(sandboxes, sandboxId, ...sizeProbe(path));
      const read = await streamed(sandboxes, sandboxId, ...jsRead(path));
      expect(read.stdout.length).toBe(Number(probed.stdout.toString()));
      expect(read.stdout.equals(patterned(3 * MEBIBYTE))).toBe(true);
    },
  );

  says(
    "a read of what is not there: no size, then exit 2, which tells what it is",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await runAsSdk(context, keepAlive("-lc"));
      const path = `${await folderOf(sandboxes, sandboxId)}/none`;
      expect((await streamed(sandboxes, sandboxId, ...sizeProbe(path))).stdout).toHaveLength(0);
      const read = await streamed(sandboxes, sandboxId, ...jsRead(path));
      expect(read.exitCode).toBe(2);
      expect(read.stderr.length).toBeGreaterThan(0);
      expect(read.stderr.length).toBeLessThan(FILE_TRANSFER_STDERR_BYTES);
      const unary = refusalOf(sandboxes.readFile({ sandboxId, path }));
      expect((await unary).reason).toBe(ErrorReason.FILE_NOT_FOUND);
    },
  );

  says("files and variables of the spec are there for commands and file calls", async (context) => {
    const { sandboxes } = context.bed;
    const container = {
      environmentVariables: { GREETING: "hello there" },
      files: [
        { path: "/workspace/conf/app.json", content: Buffer.from('{"a":1}') },
        { path: "/tmp/empty", content: new Uint8Array() },
      ],
    };
    const sandboxId = await runAsSdk(context, keepAlive("-lc"), { container });
    const script = 'cat conf/app.json; printf " %s" "$GREETING"';
    expect((await sh(sandboxes, sandboxId, script)).stdout).toBe('{"a":1} hello there');
    const read = await sandboxes.readFile({ sandboxId, path: "/tmp/empty" });
    expect(read.content).toHaveLength(0);
  });

  says(
    "logs with a cursor that the caller keeps: read, left, and resumed by hand",
    async (context) => {
      const { sandboxes } = context.bed;
      const script = "for i in 1 2 3 4 5 6; do echo line $i; sleep 0.05; done; exec sleep 600";
      const main = { command: "/bin/sh", args: ["-c", script] };
      const sandboxId = await runAsSdk(context, main);
      const first = await readLogUntil(sandboxes, { sandboxId, follow: true }, (text) =>
        text.includes("line 2\n"),
      );
      const cursor = first.at(-1);
      const request = {
        sandboxId,
        follow: true,
        resumeLogSessionId: cursor?.logSessionId ?? "",
        resumeLogOffset: cursor?.nextLogOffset ?? 0n,
      };
      const rest = await readLogUntil(sandboxes, request, (text) => text.endsWith("6\n"));
      const lines = [1, 2, 3, 4, 5, 6].map((each) => `line ${each}\n`).join("");
      expect(textOf([...first, ...rest])).toBe(lines);
      // The same cursor again has the same again: nothing is used up by reading it.
      const again = await readLogUntil(sandboxes, request, (text) => text.endsWith("6\n"));
      expect(textOf(again)).toBe(textOf(rest));
    },
  );

  says(
    "logs with a cursor of nobody: an error for the caller, who is not sent on",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await runAsSdk(context, keepAlive("-lc"));
      const request = { sandboxId, follow: true, resumeLogSessionId: randomUUID() };
      expect(await errorOf(sandboxes, request)).toBe(LogStreamErrorCode.SESSION_NOT_FOUND);
      expect(await readLog(sandboxes, { sandboxId, tailLines: 0 })).toEqual([]);
    },
  );

  says(
    "snapshot: no volume is named, READY is polled for; get, list, delete with allow_missing; restored",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await runAsSdk(context, keepAlive("-lc"), WITH_WORKSPACE);
      expect(await run(sandboxes, sandboxId, "touch", "/workspace/kept")).toMatchObject({
        exitCode: 0,
      });
      const requestId = randomUUID();
      const begun = await sandboxes.createFileSystemSnapshot({ sandboxId, requestId });
      expect(begun).toMatchObject({
        state: SnapshotState.CREATING,
        requestId,
        sourceSandboxId: sandboxId,
        sizeBytes: 0n,
      });
      const { fileSystemSnapshotId } = begun;
      await eventually(async () => {
        const { state } = await sandboxes.getFileSystemSnapshot({ fileSystemSnapshotId });
        return state === SnapshotState.READY;
      });
      const { fileSystemSnapshots } = await sandboxes.listFileSystemSnapshots({});
      const listed = fileSystemSnapshots.find(
        (each) => each.fileSystemSnapshotId === fileSystemSnapshotId,
      );
      expect(listed).toMatchObject({
        trigger: SnapshotTrigger.MANUAL,
        sourceVolumeName: "workspace",
      });
      const restored = await runAsSdk(context, keepAlive("-lc"), {
        ...WITH_WORKSPACE,
        spec: {
          volumes: [
            {
              name: "workspace",
              source: { case: "scratch", value: { restoreFromSnapshotId: fileSystemSnapshotId } },
            },
          ],
        },
      });
      const seen = await run(sandboxes, restored, "ls", "/workspace");
      expect(seen.stdout).toBe("kept\n");
      await sandboxes.deleteFileSystemSnapshot({ fileSystemSnapshotId });
      const missing = { fileSystemSnapshotId, allowMissing: true };
      await sandboxes.deleteFileSystemSnapshot(missing);
      const gone = refusalOf(sandboxes.getFileSystemSnapshot({ fileSystemSnapshotId }));
      expect((await gone).reason).toBe(ErrorReason.FSS_NOT_FOUND);
    },
    NEEDS_VOLUMES,
  );
});
