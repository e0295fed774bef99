// For the other packages of tidybox. Outside semantic versioning: may change in any release.
export { attachSandbox } from "./sandbox/attach.ts";
export { closeHandle } from "./sandbox/attach.ts";
export { createFromSpec } from "./sandbox/attach.ts";
export { observeCommands } from "./sandbox/attach.ts";
export type { ObservedCommand } from "./exec/observed-command.ts";
export type { CommandListener } from "./exec/observed-command.ts";
export type { StartOptions } from "./sandbox/start.ts";
export { purgeByTags } from "./sandbox/purge.ts";
export type { PurgeOptions } from "./sandbox/purge.ts";
export type { PurgeResult } from "./sandbox/purge.ts";
export { transportOf } from "./connection/transport-of.ts";
export { preloadWire } from "./connection/transport.ts";
export { toSandboxSpec } from "./options/sandbox-spec.ts";
export { isLocalRunner } from "@tidybox/protocol";
export { checkTag } from "./options/tags.ts";
export { checkTags } from "./options/tags.ts";
export { toTidyboxError } from "./errors/from-connect.ts";
export type { CallContext } from "./errors/from-connect.ts";
