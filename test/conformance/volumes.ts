import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import {
  ErrorReason,
  type FileSystemSnapshot,
  type ScratchVolumeSchema,
  SnapshotState,
} from "@tidybox/protocol";
import {
  pause,
  type SpecInit,
  type specOf,
} from "../../packages/local/src/testing/test-service.ts";
import type { CaseContext, Exception } from "./contract.ts";
import { expectReason, refuses } from "./refusals.ts";
import { running, started } from "./sandboxes.ts";

type ContainerInit = NonNullable<Parameters<typeof specOf>[0]>;

interface VolumeInit {
  readonly name: string;
  readonly scratch?: MessageInitShape<typeof ScratchVolumeSchema>;
  readonly volumeId?: string;
  /** Default `/<name>`. */
  readonly path?: string;
  readonly readOnly?: boolean;
  readonly subPath?: string;
}

/** One container that mounts each of these volumes, for `started` and `running`. */
export function mounting(
  volumes: readonly VolumeInit[],
  container: ContainerInit = {},
): [ContainerInit, SpecInit] {
  const volumeMounts = volumes.map(
    ({ name, path = `/${name}`, readOnly = false, subPath = "" }) => ({
      ...{ volume: name, mountPath: path, readOnly, subPath },
    }),
  );
  return [{ ...container, volumeMounts } as ContainerInit, { volumes: volumes.map(declared) }];
}

function declared({ name, scratch = {}, volumeId }: VolumeInit) {
  return volumeId === undefined
    ? { name, source: { case: "scratch" as const, value: scratch } }
    : { name, source: { case: "volumeId" as const, value: volumeId } };
}

/** A spec that mounts a scratch volume `data` is refused. */
export const NO_VOLUMES: Exception = {
  cannot: "mount volumes",
  instead: refuses(...mounting([{ name: "data" }]), {
    code: Code.FailedPrecondition,
    reason: ErrorReason.NO_SUITABLE_RUNNER,
    field: "volumes",
  }),
};

/** Asking for a snapshot says that there are none. */
export const NO_SNAPSHOTS: Exception = {
  cannot: "take snapshots of volumes",
  instead: async (context) => {
    const sandboxId = await running(context, {}, { volumes: [declared({ name: "data" })] });
    const { sandboxes } = context.bed;
    await expectReason(
      sandboxes.createFileSystemSnapshot({ sandboxId }),
      Code.FailedPrecondition,
      ErrorReason.FSS_NOT_SUPPORTED,
    );
  },
};

/** Polls as clients do; the case's own timeout bounds it. */
export async function untilTaken(
  { bed: { sandboxes } }: CaseContext,
  fileSystemSnapshotId: string,
): Promise<FileSystemSnapshot> {
  for (;;) {
    const snapshot = await sandboxes.getFileSystemSnapshot({ fileSystemSnapshotId });
    if (snapshot.state !== SnapshotState.CREATING) return snapshot;
    await pause(10);
  }
}

/** A READY snapshot of the only volume of a sandbox. */
export async function taken(context: CaseContext, sandboxId: string): Promise<string> {
  const { fileSystemSnapshotId } = await context.bed.sandboxes.createFileSystemSnapshot({
    sandboxId,
  });
  const { state, stateReason } = await untilTaken(context, fileSystemSnapshotId);
  if (state !== SnapshotState.READY) throw new Error(`no snapshot was taken: ${stateReason}`);
  return fileSystemSnapshotId;
}

/** One that comes to nothing: of a sandbox that is stopped before it starts, on a service where none does. */
export async function failedSnapshot(context: CaseContext): Promise<string> {
  const { sandboxId } = await started(context, ...mounting([{ name: "data" }]));
  const { fileSystemSnapshotIds } = await context.bed.sandboxes.deleteSandbox({
    sandboxId,
    snapshotVolumes: ["data"],
  });
  return fileSystemSnapshotIds[0] ?? "";
}
