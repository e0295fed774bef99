export type SandboxFileErrorKind =
  | "not_found"
  | "is_directory"
  | "permission_denied"
  | "too_large"
  | "io_failed";

/** A file call of a sandbox failed for a reason that lies in the sandbox. */
export class SandboxFileError extends Error {
  override readonly name = "SandboxFileError";
  readonly kind: SandboxFileErrorKind;
  /** With `too_large`, when it is known. */
  readonly sizeBytes: number | undefined;

  constructor(
    kind: SandboxFileErrorKind,
    message: string,
    options: { readonly cause?: unknown; readonly sizeBytes?: number } = {},
  ) {
    super(message, { cause: options.cause });
    this.kind = kind;
    this.sizeBytes = options.sizeBytes;
  }
}

/** Translates an errno of a file system call. */
export function fileErrorFromErrno(error: unknown, path: string): SandboxFileError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return new SandboxFileError("not_found", `${path}: no such file or directory`, {
        cause: error,
      });
    case "EISDIR":
      return new SandboxFileError("is_directory", `${path} is a directory`, { cause: error });
    case "EACCES":
    case "EPERM":
      return new SandboxFileError("permission_denied", `${path}: permission denied`, {
        cause: error,
      });
    case "EROFS":
      return new SandboxFileError(
        "permission_denied",
        `${path}: the file system is read-only there`,
        { cause: error },
      );
    // A FIFO that nobody reads, a socket, a device without a driver.
    case "ENXIO":
      return new SandboxFileError("io_failed", `${path} is not a regular file`, { cause: error });
    default:
      return new SandboxFileError("io_failed", `${path}: ${code || String(error)}`, {
        cause: error,
      });
  }
}
