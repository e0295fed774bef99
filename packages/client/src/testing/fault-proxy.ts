import { type AddressInfo, type Socket, connect, createServer } from "node:net";

/** Up is from the client to the service. */
export type Direction = "up" | "down";

/** A wire that goes wrong on demand, in front of a service that does not. */
export interface FaultProxy extends AsyncDisposable {
  readonly baseUrl: string;
  /** Connections that clients have opened, ever. */
  readonly opened: number;
  /** Bytes that have come in, forwarded or not. */
  readonly bytes: Readonly<Record<Direction, number>>;
  /** Breaks all connections now, with a reset. */
  cut(): void;
  /**
   * Half-open: what comes on the connections of now goes nowhere any more, and neither end is told.
   * New ones work, unless `future` is set: then they are taken and stay mute, until `heal`.
   */
  stall(options?: { readonly directions?: readonly Direction[]; readonly future?: boolean }): void;
  /** New connections are reset at once, until `heal`. */
  refuse(): void;
  /** Does the fault once that many more bytes have come in this direction, within a chunk if need be. */
  after(bytes: number, direction: Direction, fault: () => void): void;
  /** Holds each chunk back for that long, both ways. */
  delay(milliseconds: number): void;
  /** New connections work again. Those that were stalled never do. */
  heal(): void;
}

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  readonly mute: Set<Direction>;
  /** Chunks that are held back, in order. */
  readonly held: Readonly<Record<Direction, (() => void)[]>>;
}

const BOTH: readonly Direction[] = ["up", "down"];

/** Cuts once after each of these numbers of bytes from the service, one after the other. */
export function cutInTurn(proxy: FaultProxy, afterBytes: readonly number[]): { cuts: number } {
  const done = { cuts: 0 };
  const next = (): void => {
    const bytes = afterBytes[done.cuts];
    if (bytes === undefined) return;
    proxy.after(bytes, "down", () => {
      done.cuts += 1;
      next();
      proxy.cut();
    });
  };
  next();
  return done;
}

export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const { hostname, port } = new URL(target);
  const links = new Set<Link>();
  const bytes = { up: 0, down: 0 };
  let opened = 0;
  let mode: "forward" | "mute" | "refuse" = "forward";
  let delayMs = 0;
  let trigger:
    | { left: number; readonly direction: Direction; readonly fault: () => void }
    | undefined;

  const forward = (link: Link, direction: Direction, chunk: Buffer): void => {
    bytes[direction] += chunk.byteLength;
    const to = direction === "up" ? link.server : link.client;
    let whole = chunk;
    if (trigger?.direction === direction) {
      const { left, fault } = trigger;
      trigger.left -= chunk.byteLength;
      if (trigger.left <= 0) {
        whole = chunk.subarray(0, left);
        trigger = undefined;
        if (!link.mute.has(direction)) to.write(whole);
        fault();
        return;
      }
    }
    const from = direction === "up" ? link.client : link.server;
    const send = () => {
      if (link.mute.has(direction) || to.destroyed || to.write(whole)) return;
      // Nothing piles up here that a slow reader has not taken.
      from.pause();
      to.once("drain", () => from.resume());
    };
    const held = link.held[direction];
    if (delayMs === 0 && held.length === 0) return send();
    held.push(send);
    setTimeout(() => held.shift()?.(), delayMs);
  };

  const listener = createServer((client) => {
    opened += 1;
    if (mode === "refuse") {
      client.resetAndDestroy();
      return;
    }
    const server = connect({ host: hostname, port: Number(port) });
    const mute = new Set(mode === "mute" ? BOTH : []);
    const link: Link = { client, server, mute, held: { up: [], down: [] } };
    links.add(link);
    const pair = [
      [client, server, "up"],
      [server, client, "down"],
    ] as const;
    for (const [from, to, direction] of pair) {
      from.setNoDelay(true);
      from.on("data", (chunk: Buffer) => forward(link, direction, chunk));
      // The end of one side is not told on a link that is stalled.
      from.on("close", () => {
        if (!link.mute.has(direction)) to.destroy();
        if (client.destroyed && server.destroyed) links.delete(link);
      });
      from.on("error", () => {});
    }
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const address = listener.address() as AddressInfo;

  const cut = () => {
    for (const { client, server } of links) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
    links.clear();
  };
  return {
    baseUrl: `http://127.0.0.1:${address.port}`,
    bytes,
    get opened() {
      return opened;
    },
    cut,
    stall: ({ directions = BOTH, future = false } = {}) => {
      if (future) mode = "mute";
      for (const { mute } of links) for (const direction of directions) mute.add(direction);
    },
    refuse: () => {
      mode = "refuse";
    },
    after: (left, direction, fault) => {
      trigger = { left, direction, fault };
    },
    delay: (milliseconds) => {
      delayMs = milliseconds;
    },
    heal: () => {
      mode = "forward";
      delayMs = 0;
    },
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => listener.close(resolve));
      cut();
      await closed;
    },
  };
}
