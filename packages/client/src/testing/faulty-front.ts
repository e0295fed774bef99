import type { CallOptions, ServiceImpl } from "@connectrpc/connect";
import { SandboxService } from "@tidybox/protocol";
import type { Connection, ConnectionOptions } from "../connection/connection.ts";
import { type FaultService, startFaultService } from "./fault-service.ts";

export type RpcName = keyof typeof SandboxService.method;

/** What goes wrong. Both may throw what the service answers then, and may wait. */
export interface Faults {
  /** Before the real service is asked. @param count of calls of this RPC, this one included */
  readonly before?: (rpc: RpcName, count: number, signal: AbortSignal) => void | Promise<void>;
  /** Once it has answered, before the client hears of it. Not for streams. */
  readonly after?: (rpc: RpcName, count: number) => void | Promise<void>;
}

export interface FaultyFront extends FaultService {
  /** Calls of an RPC so far. */
  calls(rpc: RpcName): number;
}

type Forward = (request: unknown, options: CallOptions) => unknown;

/** A service that goes wrong on demand in front of one that does not: its sandboxes are real. */
export async function startFaultyFront(
  target: Connection,
  faults: (front: FaultyFront) => Faults,
  options?: ConnectionOptions,
): Promise<FaultyFront> {
  const counts = new Map<string, number>();
  const count = (rpc: RpcName): number => {
    const calls = (counts.get(rpc) ?? 0) + 1;
    counts.set(rpc, calls);
    return calls;
  };
  let hooks: Faults = {};
  const implementation = Object.fromEntries(
    Object.values(SandboxService.method).map(({ localName, methodKind }) => {
      const rpc = localName as RpcName;
      const forward = Reflect.get(target.client, rpc) as Forward;
      const unary = async (request: unknown, { signal }: { signal: AbortSignal }) => {
        const calls = count(rpc);
        await hooks.before?.(rpc, calls, signal);
        const answer = await forward(request, {});
        await hooks.after?.(rpc, calls);
        return answer;
      };
      const streaming = async function* (request: unknown, { signal }: { signal: AbortSignal }) {
        await hooks.before?.(rpc, count(rpc), signal);
        yield* forward(request, { signal }) as AsyncIterable<unknown>;
      };
      return [rpc, methodKind === "unary" ? unary : streaming];
    }),
  ) as Partial<ServiceImpl<typeof SandboxService>>;
  const service = await startFaultService(implementation, options);
  const front = { ...service, calls: (rpc: RpcName) => counts.get(rpc) ?? 0 };
  hooks = faults(front);
  return front;
}

/** For a fault that never answers. */
export function never(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true }),
  );
}
