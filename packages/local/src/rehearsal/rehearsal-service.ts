import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { LocalServiceError } from "../error.ts";
import { RehearsalSchema, type RehearsalService } from "../gen/tidybox/local/v1/rehearsal_pb.ts";
import { fromMessage, toMessage } from "./rehearsal-message.ts";
import type { RunningRehearsal } from "./running-rehearsal.ts";

/** `tidybox.local.v1.RehearsalService`: the faults of a service, changed while it runs. */
export function rehearsalService(
  running: RunningRehearsal,
  activeSandboxes: () => number,
): ServiceImpl<typeof RehearsalService> {
  const now = () => {
    const { options, maxSandboxes } = running;
    const state = {
      activeSandboxes: activeSandboxes(),
      ...(maxSandboxes !== undefined && { maxSandboxes }),
    };
    return { rehearsal: toMessage(options), state };
  };
  return {
    getRehearsal: now,
    setRehearsal: ({ rehearsal = create(RehearsalSchema) }) => {
      try {
        running.change(fromMessage(rehearsal));
      } catch (error) {
        if (!(error instanceof LocalServiceError)) throw error;
        throw new ConnectError(error.message, Code.InvalidArgument);
      }
      return now();
    },
  };
}
