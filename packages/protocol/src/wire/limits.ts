const KIBIBYTE = 1024;
const MEBIBYTE = 1024 * KIBIBYTE;

/** Largest gRPC message either way; clients allow it, servers should. */
export const MAX_MESSAGE_BYTES = 100 * MEBIBYTE;

/** Largest file in one `WriteFile` or `ReadFile`, until the service names another cap (3.9). */
export const UNARY_FILE_CAP_BYTES = 32 * MEBIBYTE;

/** Most that a client believes of a `max_size_bytes`: a whole message less 1 MiB of framing. */
export const MAX_LEARNED_FILE_CAP_BYTES = 99 * MEBIBYTE;

/** Largest file that a buffered call moves over StreamExec; more needs the streaming calls. */
export const MAX_BUFFERED_FILE_BYTES = 256 * MEBIBYTE;

/** A streamed read shorter than announced is an error from this announced size up. */
export const STREAMED_READ_CHECK_BYTES = 128 * MEBIBYTE;

/** Slice of stdin in one `ExecStreamRequest`. */
export const STDIN_FRAME_BYTES = 64 * KIBIBYTE;

/** Slice of a streamed file in one `ExecStreamRequest`; an official SDK sends up to 1 MiB. */
export const STREAMED_FRAME_BYTES = 256 * KIBIBYTE;

/** What is kept of stderr when a file transfer fails. */
export const FILE_TRANSFER_STDERR_BYTES = 16 * KIBIBYTE;

/** 30 days. A longer `max_lifetime_seconds` is refused, never shortened. */
export const MAX_LIFETIME_SECONDS = 30 * 24 * 60 * 60;

/** Of a `request_id` in UTF-8, where the service says so: deletes and snapshots. */
export const MAX_REQUEST_ID_BYTES = 128;

export const MAX_TAG_LENGTH = 59;

/** Letters, digits, `.`, `_`, `-`; a letter or digit at the end. Length is checked apart. */
export const TAG_PATTERN = /^[A-Za-z0-9._-]*[A-Za-z0-9]$/;

export const MAX_VOLUME_NAME_LENGTH = 63;

/** Length included. */
export const VOLUME_NAME_PATTERN = /^[A-Za-z0-9_-]{1,63}$/;

export const MAX_MOUNT_PATH_LENGTH = 256;

/** Nothing may be mounted at these or under them; nor at `/` itself. */
export const RESERVED_MOUNT_PATHS = [
  "/proc",
  "/sys",
  "/dev",
  "/etc",
  "/var/run/secrets",
  "/shared/credentials",
] as const;

/** Secret references of a whole sandbox. */
export const MAX_SECRETS = 50;

export const MAX_ANNOTATIONS = 100;

export const MAX_RUNNER_IDS = 100;

/** All runner ids of a spec together. */
export const MAX_RUNNER_IDS_BYTES = 64 * KIBIBYTE;

export const MAX_PORT = 65_535;

/** Of a name in an egress rule. */
export const MAX_DNS_NAME_LENGTH = 253;

export const MAX_OBJECT_PREFIX_BYTES = 512;

/** Pages that a client follows before it gives a listing up as endless. */
export const MAX_LIST_PAGES = 100;

/** For all pages of a listing together. */
export const LIST_TIMEOUT_SECONDS = 300;

/** `page_size` sent to `ListAvailableRunners`. Sandbox listings send 0, the server's default. */
export const RUNNER_PAGE_SIZE = 100;
