import { FileError, type FileFailure, FilesError } from "../errors/sandbox-errors.ts";
import type { SandboxHandle } from "../sandbox/handle.ts";
import { readFile } from "./read-file.ts";
import { type FileContent, type TransferOptions, writeFile } from "./write-file.ts";

/** More at once would only wait for each other, and each holds a file of up to 256 MiB. */
const AT_ONCE = 8;

/** Writes all that can be written. */
export async function writeFiles(
  handle: SandboxHandle,
  files: Readonly<Record<string, FileContent>>,
  options: TransferOptions,
): Promise<void> {
  await forEach(handle, "write", Object.keys(files), options, async (path) => {
    await writeFile(handle, path, files[path] ?? "", options);
  });
}

/** By path, in the order of the paths. */
export async function readFiles(
  handle: SandboxHandle,
  paths: readonly string[],
  options: TransferOptions,
): Promise<Map<string, Uint8Array>> {
  const contents = new Map<string, Uint8Array>(paths.map((path) => [path, new Uint8Array()]));
  await forEach(handle, "read", [...contents.keys()], options, async (path) => {
    contents.set(path, await readFile(handle, path, options));
  });
  return contents;
}

async function forEach(
  handle: SandboxHandle,
  operation: "read" | "write",
  paths: readonly string[],
  { signal }: TransferOptions,
  move: (path: string) => Promise<void>,
): Promise<void> {
  const failures: FileFailure[] = [];
  const left = [...paths];
  const worker = async (): Promise<void> => {
    for (let path = left.shift(); path !== undefined; path = left.shift()) {
      try {
        await move(path);
      } catch (error) {
        signal?.throwIfAborted();
        failures.push({ path, error });
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, paths.length) }, worker));
  if (failures.length > 0) throw filesError(handle, operation, paths, failures);
}

function filesError(
  handle: SandboxHandle,
  operation: string,
  paths: readonly string[],
  failures: readonly FileFailure[],
): FilesError {
  const order = new Map(paths.map((path, index) => [path, index]));
  const sorted = failures.toSorted(
    (one, other) => (order.get(one.path) ?? 0) - (order.get(other.path) ?? 0),
  );
  const [first] = sorted;
  const lines = sorted.map(
    ({ path, error }) =>
      `  ${JSON.stringify(path)}: ${error instanceof Error ? error.message.split("\n")[0] : String(error)}`,
  );
  return new FilesError({
    message: [
      `Could not ${operation} ${failures.length} of ${paths.length} files (sandbox ${handle.id}):`,
      ...lines,
    ].join("\n"),
    sandboxId: handle.id,
    path: first?.path ?? "",
    reason: first?.error instanceof FileError ? first.error.reason : undefined,
    cause: first?.error,
    failures: sorted,
  });
}
