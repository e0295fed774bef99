export interface ExecOptions {
  /** One of its containers, by name. Default: the primary one. */
  readonly container?: string | undefined;
  /** Directory to run in; needs `/bin/sh` in the image. Default: the container's own. */
  readonly cwd?: string | undefined;
  /** Variables over those of the container. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** After that the command is cancelled. Default 300; Infinity for none. */
  readonly timeoutSeconds?: number | undefined;
  /** Throw CommandFailedError when the command exits with another status than 0. Default false. */
  readonly check?: boolean | undefined;
  /** Standard input, followed by its end. Default: nothing but its end. */
  readonly input?: string | Uint8Array | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Kept of each stream; all of it is read and counted anyway. Default 16 MiB. */
  readonly maxOutputBytes?: number | undefined;
}
