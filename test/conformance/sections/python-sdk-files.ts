import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { randomUUID } from "node:crypto";
import { expect } from "vitest";
import {
  ErrorReason,
  type LogEntry,
  LogStreamErrorCode,
  SnapshotState,
  UNARY_FILE_CAP_BYTES,
} from "@tidybox/protocol";
import {
  eventually,
  refusalOf,
  run,
  sh,
  untilEnded,
} from "../../../packages/local/src/testing/test-service.ts";
import { section } from "../contract.ts";
import { fed, patterned, slices, streamed } from "../exec-streams.ts";
import {
  pythonRead,
  pythonStreamedRead,
  pythonWrite,
  sizeProbe,
  streamedWrite,
} from "../file-commands.ts";
import { folderOf } from "../inside-sandbox.ts";
import { errorOf, readLog, readLogUntil, textOf } from "../log-streams.ts";
import { createAsSdk, keepAlive, runAsSdk } from "../sdk-dialects.ts";
import { ownConnection } from "../second-connection.ts";
import { LearnedCap, readOrSize } from "../unary-files.ts";
import { NEEDS_VOLUMES, WITH_WORKSPACE } from "../workspace-volume.ts";

const MEBIBYTE = 1024 * 1024;
const LARGE = UNARY_FILE_CAP_BYTES + 12_345;

/** The same SDK: files, logs, snapshots. */
export const pythonSdkFiles = section("Python SDK", (says) => {
  says("write_file and read_file of a small file: one unary call each", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await runAsSdk(context, keepAlive("-c"));
    const path = `${await folderOf(sandboxes, sandboxId)}/two\nlines`;
    const content = patterned(100_000);
    await sandboxes.writeFile({ sandboxId, path, content }, { timeoutMs: 300_000 });
    const read = await sandboxes.readFile({ sandboxId, path }, { timeoutMs: 300_000 });
    expect(content.equals(read.content)).toBe(true);
  });

  says(
    "write_file beyond the cap goes by its script in slices of 64 KiB, and is counted",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await runAsSdk(context, keepAlive("-c"));
      const path = `${await folderOf(sandboxes, sandboxId)}/large`;
      const content = patterned(LARGE);
      const init = { sandboxId, command: [...pythonWrite(path, LARGE)] };
      const ended = await fed(sandboxes, init, slices(content, 64 * 1024));
      expect([ended.exitCode, ended.stderr.toString()]).toEqual([0, ""]);
      expect((await sh(sandboxes, sandboxId, "stat -c %s large")).stdout).toBe(`${LARGE}\n`);
    },
  );

  says(
    "a client with a larger cap learns the server's from FILE_TOO_LARGE, and streams then",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await runAsSdk(context, keepAlive("-c"));
      const path = `${await folderOf(sandboxes, sandboxId)}/large`;
      const content = patterned(LARGE);
      const cap = new LearnedCap(64 * MEBIBYTE);
      const refusal = await refusalOf(sandboxes.writeFile({ sandboxId, path, content }));
      expect(refusal.reason).toBe(ErrorReason.FILE_TOO_LARGE);
      cap.learn(refusal);
      expect(cap.bytes).toBe(UNARY_FILE_CAP_BYTES);
      const init = { sandboxId, command: [...pythonWrite(path, LARGE)] };
      expect(await fed(sandboxes, init, slices(content, 64 * 1024))).toMatchObject({ exitCode: 0 });
    },
  );

  says(
    "read_file of a large file: FILE_TOO_LARGE with its size, then its script delivers that",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await runAsSdk(context, keepAlive("-c"));
      const path = `${await folderOf(sandboxes, sandboxId)}/large`;
      await sh(sandboxes, sandboxId, `head -c ${LARGE} /dev/urandom > large`);
      const sizeBytes = await readOrSize(sandboxes, { sandboxId, path }, new LearnedCap());
      expect(sizeBytes).toBe(LARGE);
      const ended = await streamed(sandboxes, sandboxId, ...pythonRead(path));
      expect([ended.exitCode, ended.stdout.length]).toEqual([0, sizeBytes]);
      const init = { sandboxId, command: ["cmp", "-", path] };
      const compared = await fed(sandboxes, init, slices(ended.stdout, MEBIBYTE));
      expect(compared.exitCode).toBe(0);
    },
  );

  says(
    "a streamed write sends slices of 1 MiB; a streamed read probes the size, then cats",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await runAsSdk(context, keepAlive("-c"));
      const path = `${await folderOf(sandboxes, sandboxId)}/streamed file`;
      const content = patterned(5 * MEBIBYTE + 7);
      const init = { sandboxId, command: [...streamedWrite(path)] };
      expect(await fed(sandboxes, init, slices(content, MEBIBYTE))).toMatchObject({ exitCode: 0 });
      const probed = await streamed(sandboxes, sandboxId, ...sizeProbe(path));
      expect(Number(probed.stdout.toString())).toBe(content.length);
      const read = await streamed(sandboxes, sandboxId, ...pythonStreamedRead(path));
      expect(read.exitCode).toBe(0);
      expect(read.stdout.equals(content)).toBe(true);
    },
  );

  says("a streamed write to where there is no directory exits 1, and says why", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await runAsSdk(context, keepAlive("-c"));
    const command = [...streamedWrite("/no/such/directory/file")];
    const ended = await fed(sandboxes, { sandboxId, command }, ["x"]);
    expect(ended.exitCode).not.toBe(0);
    expect(ended.stderr.toString()).toContain("/no/such/directory/file");
  });

  says(
    "logs followed over a cut connection: resumed by id and offset, nothing twice or lost",
    async (context) => {
      const script = "i=0; while [ $i -lt 40 ]; do echo line $i; i=$((i+1)); sleep 0.03; done";
      const main = { command: "/bin/sh", args: ["-c", `${script}; echo over`] };
      const { sandboxId } = await createAsSdk(context, main);
      const entries: LogEntry[] = [];
      let cuts = 0;
      for (let attempt = 0; attempt < 20; attempt += 1) {
        const connection = ownConnection(context.bed);
        const last = entries.at(-1);
        const request = {
          sandboxId,
          follow: true,
          ...(last !== undefined && {
            resumeLogSessionId: last.logSessionId,
            resumeLogOffset: last.nextLogOffset,
          }),
        };
        try {
          let seen = 0;
          for await (const entry of connection.client.streamLogs(request)) {
            expect(entry.error).toBeUndefined();
            entries.push(entry);
            seen += 1;
            if (seen === 5 && cuts < 3) {
              cuts += 1;
              connection.cut();
            }
          }
          break;
        } catch (error) {
          // As a broken network looks from here; Python resumes on UNAVAILABLE, INTERNAL and UNKNOWN.
          if (cuts === 0) throw error;
        } finally {
          connection.cut();
        }
      }
      expect(cuts).toBe(3);
      const lines = Array.from({ length: 40 }, (_, index) => `line ${index}\n`);
      expect(textOf(entries)).toBe(`${lines.join("")}over\n`);
    },
  );

  says(
    "logs of a session that the server has forgotten: a fresh request has all of it",
    async (context) => {
      const { sandboxes } = context.bed;
      const main = { command: "/bin/sh", args: ["-c", "echo first; exec sleep 600"] };
      const sandboxId = await runAsSdk(context, main);
      const resumeLogSessionId = randomUUID();
      const resumed = { sandboxId, follow: true, resumeLogSessionId, resumeLogOffset: 100n };
      expect(await errorOf(sandboxes, resumed)).toBe(LogStreamErrorCode.SESSION_NOT_FOUND);
      const fresh = await readLogUntil(
        sandboxes,
        { sandboxId, follow: true },
        (text) => text !== "",
      );
      expect(textOf(fresh)).toBe("first\n");
    },
  );

  says("logs with a tail, a time with its zone, and timestamps", async (context) => {
    const { sandboxes } = context.bed;
    const main = { command: "/bin/sh", args: ["-c", "echo 1; echo 2; echo 3; exec sleep 600"] };
    const sandboxId = await runAsSdk(context, main);
    const since = timestampFromMs(Date.now() - 60_000);
    const request = { sandboxId, tailLines: 2, sinceTime: since, timestamps: true };
    await eventually(async () => textOf(await readLog(sandboxes, { sandboxId })).endsWith("3\n"));
    const lines = textOf(await readLog(sandboxes, request)).split("\n");
    expect(lines.map((line) => line.replace(/^\S+Z /, ""))).toEqual(["2", "3", ""]);
  });

  says("logs of an ended sandbox are refused with SANDBOX_NOT_RUNNING", async (context) => {
    const { sandboxes } = context.bed;
    const { sandboxId } = await createAsSdk(context, { command: "true", args: [] });
    await untilEnded(sandboxes, sandboxId);
    expect((await refusalOf(readLog(sandboxes, { sandboxId }))).reason).toBe(
      ErrorReason.SANDBOX_NOT_RUNNING,
    );
  });

  says(
    "stop with a snapshot: the volume's name from the echoed spec, one id, READY at last",
    async (context) => {
      const { sandboxes } = context.bed;
      const { sandboxId, spec } = await createAsSdk(context, keepAlive("-c"), WITH_WORKSPACE);
      const snapshotVolumes = (spec?.volumes ?? []).map(({ name }) => name);
      expect(snapshotVolumes).toEqual(["workspace"]);
      expect(await run(sandboxes, sandboxId, "touch", "/workspace/kept")).toMatchObject({
        exitCode: 0,
      });
      const request = { sandboxId, gracePeriodSeconds: 10, snapshotVolumes };
      const requestId = randomUUID();
      const answer = await sandboxes.deleteSandbox({ ...request, requestId });
      expect(answer.sandbox?.sandboxId).toBe(sandboxId);
      const [fileSystemSnapshotId = ""] = answer.fileSystemSnapshotIds;
      expect(answer.fileSystemSnapshotIds).toHaveLength(1);
      await untilEnded(sandboxes, sandboxId);
      await eventually(async () => {
        const snapshot = await sandboxes.getFileSystemSnapshot({ fileSystemSnapshotId });
        expect(snapshot.state).not.toBe(SnapshotState.FAILED);
        return snapshot.state === SnapshotState.READY;
      });
      const again = await sandboxes.deleteSandbox({ ...request, requestId });
      expect(again.fileSystemSnapshotIds).toEqual([fileSystemSnapshotId]);
      await sandboxes.deleteFileSystemSnapshot({ fileSystemSnapshotId });
      const gone = refusalOf(sandboxes.getFileSystemSnapshot({ fileSystemSnapshotId }));
      expect((await gone).reason).toBe(ErrorReason.FSS_NOT_FOUND);
    },
    NEEDS_VOLUMES,
  );
});
