export type LocalNoticeCode =
  /** `engine: "auto"` ended with an engine that isolates less. */
  | "engine_weaker"
  /** An image has no root directory of its own: the host's programs are used. */
  | "image_not_mapped"
  /** A host tool cannot be shown in sandboxes, because the service's account cannot reach it. */
  | "tool_unreachable"
  /** The service runs as root and was told to stay so. */
  | "root_kept"
  /** What a sandbox asks for of cpu (or memory) is reported, but the engine does not enforce it. */
  | "resources_not_enforced"
  /** A scratch volume on disk has a size, which nothing holds it to here. */
  | "volume_size_not_enforced"
  /** A sandbox that is denied egress has no DNS here, which it would have on the real service. */
  | "names_not_resolved"
  /** A sandbox with services has no egress here, although nobody denied it. */
  | "services_without_egress"
  /** An HTTPS endpoint has an `http://` address here. */
  | "endpoint_without_tls"
  /** A record in the data folder is damaged; the service goes on without it. */
  | "record_unreadable"
  /** Faults are injected, as asked for: says which, and the seed that repeats them. */
  | "faults_injected"
  /** The rehearsal was ended: nothing goes wrong on purpose any more. */
  | "faults_cleared"
  /** A folder of an earlier service could not be removed. */
  | "leftover_not_removed";

/** Something a person should know once; nothing has failed. */
export interface LocalNotice {
  readonly code: LocalNoticeCode;
  readonly message: string;
}

export type NoticeListener = (notice: LocalNotice) => void;
