import { createServer, type Server, type Socket } from "node:net";
import { once } from "node:events";

/** A name is a number and a line feed; anybody who sends more first is not our helper. */
const MAX_NAME_BYTES = 20;

/**
 * Where the helper connects a process's standard input to the service. The folder is private, so
 * whoever can connect is this account.
 */
export class InputSocket {
  readonly path: string;
  readonly #server: Server;
  readonly #waiting = new Map<number, (socket: Socket) => void>();
  readonly #unnamed = new Set<Socket>();

  private constructor(path: string) {
    this.path = path;
    this.#server = createServer({ pauseOnConnect: false }, (socket) => this.#name(socket));
  }

  static async listen(path: string): Promise<InputSocket> {
    const input = new InputSocket(path);
    input.#server.listen(path);
    await once(input.#server, "listening");
    input.#server.unref();
    return input;
  }

  /** The stream of spawn `id`, whenever it connects. */
  expect(id: number): Promise<Socket> {
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  /** Nobody will connect for `id` any more. */
  forget(id: number): void {
    this.#waiting.delete(id);
  }

  close(): void {
    for (const socket of this.#unnamed) socket.destroy();
    this.#server.close();
  }

  #name(socket: Socket): void {
    this.#unnamed.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => this.#unnamed.delete(socket));
    let name = "";
    const onData = (bytes: Buffer): void => {
      const end = bytes.indexOf("\n");
      name += bytes.toString("latin1", 0, end < 0 ? bytes.length : end);
      if (end < 0) {
        if (name.length > MAX_NAME_BYTES) socket.destroy();
        return;
      }
      socket.off("data", onData);
      socket.pause();
      // The first output of a terminal may come with the name.
      if (end + 1 < bytes.length) socket.unshift(bytes.subarray(end + 1));
      this.#unnamed.delete(socket);
      const id = Number.parseInt(name, 10);
      const take = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (take === undefined) socket.destroy();
      else take(socket);
    };
    socket.on("data", onData);
  }
}
