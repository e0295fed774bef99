import { createServer } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import {
  ERROR_DOMAIN,
  ErrorInfoSchema,
  ErrorReason,
  RetryInfoSchema,
  type Sandbox,
  SandboxSchema,
  SandboxService,
  type State,
} from "@tidybox/protocol";
import { Connection, type ConnectionOptions } from "../connection/connection.ts";
import { removeCleanupHandlers } from "../process/cleanup-handlers.ts";

/** A service that goes wrong on demand. What ordinarily happens is tested against the real one. */
export interface FaultService extends AsyncDisposable {
  readonly baseUrl: string;
  readonly connection: Connection;
  /** Breaks every connection now, like a crash of the service or a cut wire. */
  cut(): void;
}

export async function startFaultService(
  implementation: Partial<ServiceImpl<typeof SandboxService>>,
  options: ConnectionOptions = {},
): Promise<FaultService> {
  // Its sandboxes do not exist: nothing shall try to stop them when the test's process ends.
  removeCleanupHandlers();
  const sockets = new Set<Socket>();
  const server = createServer(
    connectNodeAdapter({ routes: (router) => router.service(SandboxService, implementation) }),
  );
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const baseUrl = `http://127.0.0.1:${port}`;
  const connection = new Connection({ baseUrl, apiKey: "secret-key", ...options });
  const cut = () => sockets.forEach((socket) => socket.destroy());
  return {
    baseUrl,
    connection,
    cut,
    [Symbol.asyncDispose]: async () => {
      connection.close();
      const closed = new Promise((resolve) => server.close(resolve));
      cut();
      await closed;
    },
  };
}

export function sandboxRecord(state: State, sandboxId = "sb-1", stateReason = ""): Sandbox {
  return create(SandboxSchema, {
    sandboxId,
    spec: { tags: ["tidybox-run-r1"] },
    status: { state, stateReason },
  });
}

/** An error as the service sends it. */
export function refusal(
  code: Code,
  reason = "",
  {
    domain = ERROR_DOMAIN,
    retryNanos = 0,
    metadata = {},
  }: {
    readonly domain?: string;
    readonly retryNanos?: number;
    readonly metadata?: Record<string, string>;
  } = {},
): ConnectError {
  const error = new ConnectError("refused by the test", code);
  if (reason !== "")
    error.details.push({ desc: ErrorInfoSchema, value: { reason, domain, metadata } });
  if (retryNanos > 0) {
    error.details.push({
      desc: RetryInfoSchema,
      value: { retryDelay: { seconds: 0n, nanos: retryNanos } },
    });
  }
  return error;
}

export function notFound(): ConnectError {
  return refusal(Code.NotFound, ErrorReason.SANDBOX_NOT_FOUND);
}
