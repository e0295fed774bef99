import { type Code, ConnectError, type Transport } from "@connectrpc/connect";
import type { Connection } from "@tidybox/client";

/** The unary calls of a connection, by the RPC's name. */
export interface WatchedCalls {
  readonly counts: ReadonlyMap<string, number>;
  /** Most that were under way at once, of one RPC. */
  readonly most: ReadonlyMap<string, number>;
  total(): number;
  reset(): void;
}

/** Counts what goes out; RPCs in `refused` are answered here, as the service answers a weaker key. */
export function watchCalls(
  connection: Connection,
  refused: Readonly<Record<string, Code>> = {},
): WatchedCalls {
  const counts = new Map<string, number>();
  const most = new Map<string, number>();
  const underWay = new Map<string, number>();
  const transport: Transport = connection.transport;
  const unary = transport.unary.bind(transport);
  transport.unary = async (method, ...rest) => {
    const { name } = method;
    counts.set(name, (counts.get(name) ?? 0) + 1);
    const now = (underWay.get(name) ?? 0) + 1;
    underWay.set(name, now);
    most.set(name, Math.max(most.get(name) ?? 0, now));
    try {
      const code = refused[name];
      if (code !== undefined) throw fromService(new ConnectError(`no ${name} for this key`, code));
      return await unary(method, ...rest);
    } finally {
      underWay.set(name, (underWay.get(name) ?? 1) - 1);
    }
  };
  return {
    counts,
    most,
    total: () => [...counts.values()].reduce((sum, each) => sum + each, 0),
    reset: () => {
      counts.clear();
      most.clear();
    },
  };
}

/** As the client knows an answer from a failure of its own end. */
function fromService(error: ConnectError): ConnectError {
  return Object.assign(error, { isWireError: true });
}
