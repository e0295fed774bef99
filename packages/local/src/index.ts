export { startLocalService, type LocalService, type LocalServiceOptions } from "./local-service.ts";
export {
  listenOnLoopback,
  type LoopbackListener,
  type LoopbackOptions,
} from "./listener/listen-on-loopback.ts";
export type { InMemoryConnection } from "./listener/in-memory-connections.ts";
export { findLocalServices, type FoundLocalService } from "./state-folder/find-local-services.ts";
export {
  identityOf,
  type Liveness,
  livenessOf,
  type ProcessIdentity,
} from "./state-folder/process-identity.ts";
export { removeLeftovers as removeLocalLeftovers } from "./state-folder/leftovers.ts";
export { probeEngine, type EngineProbe, type ProbedEngine } from "./probe-engine.ts";
export type { FaultOptions } from "./faults/fault-options.ts";
export {
  rehearsalClient,
  type Rehearsal,
  type RehearsalClient,
} from "./rehearsal/rehearsal-client.ts";
export type { VolumeOptions } from "./service/resources/registered-volumes.ts";
export { LocalServiceError, type LocalServiceErrorCode } from "./error.ts";
export type { LocalNotice, LocalNoticeCode } from "./notice.ts";
export { keepHeapSmall } from "./small-heap.ts";
