import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { Connection } from "../connection/connection.ts";
import type { TestService } from "./local-service.ts";

/** A wire to a real service that breaks in the middle of something. */
export interface CuttingProxy extends AsyncDisposable {
  readonly connection: Connection;
  /** Breaks all connections, once, after so many more bytes either way. New ones work again. */
  cutAfter(bytes: number): void;
}

export async function startCuttingProxy(service: TestService): Promise<CuttingProxy> {
  const { hostname, port } = new URL(service.baseUrl);
  const sockets = new Set<Socket>();
  let leftBytes = Number.POSITIVE_INFINITY;
  const count = (bytes: number): void => {
    leftBytes -= bytes;
    if (leftBytes > 0) return;
    leftBytes = Number.POSITIVE_INFINITY;
    for (const socket of sockets) socket.resetAndDestroy();
  };
  const server = createServer((near) => {
    const far = connect({ host: hostname, port: Number(port) });
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on("data", (data) => count(data.length)).pipe(other);
      socket.on("error", () => other.destroy());
      socket.once("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address() as AddressInfo;
  const connection = new Connection({
    baseUrl: `http://127.0.0.1:${address.port}`,
    apiKey: service.apiKey,
  });
  return {
    connection,
    cutAfter: (bytes) => (leftBytes = bytes),
    [Symbol.asyncDispose]: async () => {
      connection.close();
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
