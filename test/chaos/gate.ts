import { once } from "node:events";
import { type Socket, connect, createServer } from "node:net";

/** The network between a run and its service, which can go away. */
export interface Gate extends AsyncDisposable {
  readonly baseUrl: string;
  /** Cuts every connection and takes no new one. */
  close(): void;
  open(): void;
}

/** @param nearPort where it listens; default: any free one */
export async function openGate(serviceUrl: string, nearPort = 0): Promise<Gate> {
  const { hostname, port } = new URL(serviceUrl);
  const sockets = new Set<Socket>();
  let isOpen = true;
  const server = createServer((near) => {
    if (!isOpen) {
      near.destroy();
      return;
    }
    const far = connect(Number(port), hostname);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.once("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  });
  server.listen(nearPort, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the gate has no port");
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    baseUrl: `http://127.0.0.1:${address.port}`,
    close: () => {
      isOpen = false;
      cut();
    },
    open: () => {
      isOpen = true;
    },
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, "close");
      server.close();
      cut();
      await closed;
    },
  };
}
