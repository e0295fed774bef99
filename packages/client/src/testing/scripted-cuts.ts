import { type AddressInfo, type Socket, connect, createServer } from "node:net";

/** A wire that breaks: passes connections on to a service, and cuts them where it is told to. */
export interface CuttingProxy extends AsyncDisposable {
  readonly baseUrl: string;
  /** How often it has cut. */
  readonly cuts: number;
}

/**
 * `cutAfter` are numbers of bytes from the service to its clients: after so many, on whichever
 * connection, that connection is cut, in the middle of whatever it is; the next number counts from
 * there. When there are no more, nothing is cut any more.
 */
export async function startCuttingProxy(
  target: string,
  cutAfter: readonly number[],
): Promise<CuttingProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let cuts = 0;
  let left = cutAfter[0] ?? Number.POSITIVE_INFINITY;
  const server = createServer((client) => {
    const service = connect(Number(port), hostname);
    const both = [client, service];
    const end = (): void => both.forEach((socket) => socket.destroy());
    for (const socket of both) {
      sockets.add(socket);
      socket.on("error", end).on("close", () => {
        sockets.delete(socket);
        end();
      });
    }
    client.pipe(service);
    service.on("data", (chunk: Buffer) => {
      if (chunk.length < left) {
        left -= chunk.length;
        if (client.write(chunk)) return;
        service.pause();
        client.once("drain", () => service.resume());
        return;
      }
      const last = chunk.subarray(0, left);
      cuts += 1;
      left = cutAfter[cuts] ?? Number.POSITIVE_INFINITY;
      service.destroy();
      client.write(last, () => client.resetAndDestroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get cuts() {
      return cuts;
    },
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
