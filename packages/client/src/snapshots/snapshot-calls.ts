import type { FileSystemSnapshot } from "@tidybox/protocol";
import { call } from "../connection/call.ts";
import type { Connection } from "../connection/connection.ts";
import { NotFoundError } from "../errors/request-errors.ts";
import { checkText } from "../options/checks.ts";

/** @throws NotFoundError when the service does not know the id */
export function getSnapshot(
  connection: Connection,
  id: string,
  signal?: AbortSignal,
): Promise<FileSystemSnapshot> {
  checkText(id, "id");
  return call(
    connection,
    { action: `look at snapshot ${id}` },
    { retry: "passing", signal },
    (client, options) => client.getFileSystemSnapshot({ fileSystemSnapshotId: id }, options),
  );
}

/**
 * Answers whether it was there. Tried again where that helps: once a try may have been carried out,
 * "not found" means that it was.
 *
 * @throws NotFoundError when it was not there, unless `missingOk`
 */
export async function deleteSnapshot(
  connection: Connection,
  id: string,
  { missingOk, signal }: { readonly missingOk: boolean; readonly signal?: AbortSignal | undefined },
): Promise<boolean> {
  checkText(id, "id");
  let maybeDone = false;
  try {
    const { fileSystemSnapshotId } = await call(
      connection,
      { action: `delete snapshot ${id}` },
      {
        retry: "passing",
        signal,
        onFailure: (_error, mayHaveBeenDone) => {
          maybeDone ||= mayHaveBeenDone;
          return true;
        },
      },
      (client, options) =>
        client.deleteFileSystemSnapshot(
          { fileSystemSnapshotId: id, allowMissing: missingOk },
          options,
        ),
    );
    return fileSystemSnapshotId !== "" || maybeDone;
  } catch (error) {
    if (error instanceof NotFoundError && (maybeDone || missingOk)) return maybeDone;
    throw error;
  }
}
