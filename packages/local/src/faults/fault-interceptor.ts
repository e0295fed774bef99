import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { ErrorReason } from "@tidybox/protocol";
import { failure } from "../service/failures.ts";
import { CUT_CONNECTION } from "./connection-cut.ts";
import { CreateRate } from "./create-rate.ts";
import type { FailureCode } from "./fault-plan.ts";
import type { Faults } from "./faults.ts";
import { valueFor } from "./rpc-names.ts";

const RETRY_SECONDS = 0.2;

const CREATES = new Map([["create", true]]);

/** All faults of calls, around the service: latency, then refusals, then the work, then its answer. */
export function faultInterceptor(faults: Faults): Interceptor {
  const rate = new CreateRate();
  return (next) => async (request) => {
    const rpc = request.method.name;
    const fate = faults.fateOf(rpc);
    if (fate.latencySeconds > 0) await faults.wait(fate.latencySeconds, request.signal);
    const { createRate } = faults.plan;
    if (createRate !== undefined && valueFor(CREATES, rpc) === true) {
      const retryAfterSeconds = rate.refuse(createRate);
      if (retryAfterSeconds !== undefined) {
        throw failure(
          Code.ResourceExhausted,
          ErrorReason.RUNNER_OVERLOADED,
          `more than ${createRate.count} creates in ${createRate.seconds} s: the rate limit of this rehearsal`,
          { retryAfterSeconds },
        );
      }
    }
    if (fate.failure !== undefined) throw injected(rpc, fate.failure);
    const response = await next(request);
    if (!fate.lost) return response;
    const cut = (): never => {
      request.contextValues.get(CUT_CONNECTION)();
      throw new ConnectError("the answer is lost on purpose", Code.Unavailable);
    };
    if (!response.stream) return cut();
    return { ...response, message: allButTheLast(response.message, cut) };
  };
}

/** Of a stream the last message is the answer: how a command exited. */
async function* allButTheLast<T>(messages: AsyncIterable<T>, cut: () => never): AsyncGenerator<T> {
  let held: { readonly message: T } | undefined;
  for await (const message of messages) {
    if (held !== undefined) yield held.message;
    held = { message };
  }
  cut();
}

function injected(rpc: string, code: FailureCode): ConnectError {
  const message = `${rpc} fails on purpose: the rehearsal says so`;
  switch (code) {
    case Code.Unavailable:
      return failure(code, ErrorReason.BACKEND_UNAVAILABLE, message);
    case Code.ResourceExhausted:
      return failure(code, ErrorReason.RUNNER_OVERLOADED, message, {
        retryAfterSeconds: RETRY_SECONDS,
      });
    case Code.Internal:
      // The reference knows no reason that goes with it.
      return new ConnectError(message, code);
  }
}
