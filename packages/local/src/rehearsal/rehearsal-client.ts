import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { LocalServiceError } from "../error.ts";
import type { FaultOptions } from "../faults/fault-options.ts";
import {
  type GetRehearsalResponse,
  RehearsalService,
} from "../gen/tidybox/local/v1/rehearsal_pb.ts";
import { fromMessage, toMessage } from "./rehearsal-message.ts";

/** What goes wrong on purpose in a local service, and what its quota is about. */
export interface Rehearsal {
  /** As they were asked for, with the seed that repeats them. */
  readonly faults: FaultOptions;
  /** Starting and stopping ones count. */
  readonly activeSandboxes: number;
  /** The limit in force, wherever it is from; undefined: there is none. */
  readonly maxSandboxes: number | undefined;
}

export interface RehearsalClient {
  /** What goes wrong now. */
  get(): Promise<Rehearsal>;
  /**
   * From now on this and nothing else, counted anew; calls under way keep their fate.
   *
   * @throws LocalServiceError `local_option_invalid` that names what cannot be read; nothing is
   *   changed then
   */
  set(faults: FaultOptions): Promise<Rehearsal>;
}

const TIMEOUT_MS = 10_000;

/**
 * The rehearsal of the local service at the other end of a transport that sends its token. Calls
 * throw LocalServiceError `local_rehearsal_unknown` where there is a service without rehearsals,
 * such as the platform's own; other errors are the transport's. Each call takes 10 s at most.
 */
export function rehearsalClient(transport: Transport): RehearsalClient {
  const client = createClient(RehearsalService, transport);
  const limits = { timeoutMs: TIMEOUT_MS };
  return {
    get: () => understood(() => client.getRehearsal({}, limits)),
    set: (faults) =>
      understood(() => client.setRehearsal({ rehearsal: toMessage(faults) }, limits)),
  };
}

async function understood(
  call: () => Promise<Omit<GetRehearsalResponse, "$typeName">>,
): Promise<Rehearsal> {
  try {
    const { rehearsal, state } = await call();
    return {
      faults: rehearsal === undefined ? {} : fromMessage(rehearsal),
      activeSandboxes: state?.activeSandboxes ?? 0,
      maxSandboxes: state?.maxSandboxes,
    };
  } catch (cause) {
    if (!(cause instanceof ConnectError)) throw cause;
    if (cause.code === Code.InvalidArgument)
      throw new LocalServiceError("local_option_invalid", cause.rawMessage, { cause });
    if (cause.code === Code.Unimplemented) {
      const message =
        "this service has no rehearsals: only a local one has, such as `tidybox serve`.";
      throw new LocalServiceError("local_rehearsal_unknown", message, { cause });
    }
    throw cause;
  }
}
