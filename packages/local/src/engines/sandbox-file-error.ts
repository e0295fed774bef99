export type SandboxFileErrorKind =
  | "not_found"
  | "is_directory"
  | "permission_denied"
  | "too_large"
  /** It can be no file that is read or written at once: a fifo, a device, a name that is too long. */
  | "unusable_path"
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
    // Where a command of the sandbox's has told it, it may be anything.
    this.sizeBytes = Number.isSafeInteger(options.sizeBytes) ? options.sizeBytes : undefined;
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
    case "ENAMETOOLONG":
      return new SandboxFileError("unusable_path", `${path}: the name is too long`, {
        cause: error,
      });
    // A fifo that nobody reads, or a socket; a device without anything behind it.
    case "ENXIO":
    case "ENODEV":
    case "EOPNOTSUPP":
      return new SandboxFileError("unusable_path", `${path} is not a regular file`, {
        cause: error,
      });
    // What the kernel says of names and places of its own, as below /proc.
    case "EINVAL":
    case "ETXTBSY":
    case "ELOOP":
      return new SandboxFileError("unusable_path", `${path} cannot be read or written: ${code}`, {
        cause: error,
      });
    default:
      return new SandboxFileError("io_failed", `${path}: ${code || String(error)}`, {
        cause: error,
      });
  }
}
