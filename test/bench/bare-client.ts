import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { SandboxService } from "@tidybox/protocol";

/** What Connect alone costs, between this process and a server in another one (bare-server.ts). */
export interface BareServer extends Disposable {
  /** A call that is answered at once. */
  unary(): Promise<void>;
  /** Sends so many bytes, in messages of `messageBytes`. */
  up(totalBytes: number, messageBytes: number): Promise<void>;
  /** Receives so many. */
  down(totalBytes: number, messageBytes: number): Promise<void>;
}

export async function startBareServer(): Promise<BareServer> {
  const child = fork(fileURLToPath(new URL("bare-server.ts", import.meta.url)));
  const [port] = (await once(child, "message")) as [number];
  const client = createClient(
    SandboxService,
    createGrpcTransport({ baseUrl: `http://127.0.0.1:${port}` }),
  );
  const stream = async (
    sendBytes: number,
    receiveBytes: number,
    messageBytes: number,
  ): Promise<void> => {
    let got = 0;
    const requests = async function* () {
      const command = [String(receiveBytes), String(messageBytes)];
      yield { message: { case: "init" as const, value: { sandboxId: "bare", command } } };
      const value = new Uint8Array(messageBytes).fill(7);
      for (let left = sendBytes; left > 0; left -= value.length)
        yield { message: { case: "stdin" as const, value: value.subarray(0, left) } };
    };
    for await (const { message } of client.streamExec(requests()))
      if (message.case === "output") got += message.value.data.length;
    if (got !== receiveBytes) throw new Error(`${got} bytes came, not ${receiveBytes}`);
  };
  return {
    unary: async () => void (await client.getSandbox({ sandboxId: "bare" })),
    up: (totalBytes, messageBytes) => stream(totalBytes, 0, messageBytes),
    down: (totalBytes, messageBytes) => stream(0, totalBytes, messageBytes),
    [Symbol.dispose]: () => child.disconnect(),
  };
}
