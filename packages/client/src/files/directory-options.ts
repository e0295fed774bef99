import type { TransferOptions } from "./write-file.ts";

export interface DirectoryOptions extends TransferOptions {
  /** Default: none. */
  readonly timeoutSeconds?: number | undefined;
  /**
   * Symbolic links that lead out of the directory, absolute ones too. Default `"refuse"`: nothing is
   * left out in silence.
   */
  readonly outsideLinks?: "refuse" | "skip" | undefined;
}

export interface DownloadOptions extends DirectoryOptions {
  /** Of all files together; a sandbox may send without end. Default 4 GiB. */
  readonly maxSizeBytes?: number | undefined;
}

/** `reason` of a FileError for an entry that must not, or cannot, be moved. */
export const ENTRY_REFUSED = "TIDYBOX_ENTRY_REFUSED";
