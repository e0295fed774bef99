import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { fromJson, type JsonValue, toJson } from "@bufbuild/protobuf";
import { FileSystemSnapshotSchema } from "@tidybox/protocol";
import * as v from "valibot";
import { SnapshotRecord } from "./snapshot-record.ts";

const ARCHIVE_SUFFIX = ".tar";

const RecordSchema = v.object({
  sequence: v.pipe(v.number(), v.integer(), v.minValue(1)),
  snapshot: v.record(v.string(), v.unknown()),
});

/** What is written of a snapshot, for a service that comes later. */
export function snapshotRecordOf(record: SnapshotRecord): v.InferOutput<typeof RecordSchema> {
  const snapshot = toJson(FileSystemSnapshotSchema, record.view()) as Record<string, unknown>;
  return { sequence: record.sequence, snapshot };
}

/** Throws unless the whole archive is there. */
export function readSnapshot(folder: string, id: string, value: unknown): SnapshotRecord {
  const { sequence, snapshot } = v.parse(RecordSchema, value);
  const record = SnapshotRecord.restored(
    sequence,
    fromJson(FileSystemSnapshotSchema, snapshot as JsonValue),
  );
  if (record.id !== id) throw new Error(`it is about ${record.id}`);
  if (statSync(join(folder, `${id}${ARCHIVE_SUFFIX}`)).size !== record.sizeBytes)
    throw new Error("its archive has another size");
  return record;
}

/** Archives that were not finished, and second names of them for restores that were not either. */
export function removeUnknownArchives(folder: string, ids: ReadonlySet<string>): void {
  for (const file of readdirSync(folder)) {
    if (!file.endsWith(ARCHIVE_SUFFIX) || ids.has(file.slice(0, -ARCHIVE_SUFFIX.length))) continue;
    rmSync(join(folder, file), { force: true });
  }
}
