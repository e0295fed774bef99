import { createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { MAX_MESSAGE_BYTES, SandboxService } from "@tidybox/protocol";
import type { ServiceClient } from "../../packages/local/src/testing/test-service.ts";
import type { Bed } from "./beds.ts";

export interface OwnConnection {
  readonly client: ServiceClient;
  /** Breaks it, with all that is running on it. */
  cut(): void;
}

/** A client on an HTTP/2 connection of its own, with more metadata where it is given. */
export function ownConnection(
  { service: { baseUrl, token } }: Bed,
  metadata: Readonly<Record<string, string>> = {},
): OwnConnection {
  const sessions = new Http2SessionManager(baseUrl);
  const transport = createGrpcTransport({
    baseUrl,
    sessionManager: sessions,
    readMaxBytes: MAX_MESSAGE_BYTES,
    writeMaxBytes: MAX_MESSAGE_BYTES,
    interceptors: [
      (next) => (request) => {
        request.header.set("authorization", `Bearer ${token}`);
        for (const [name, value] of Object.entries(metadata)) request.header.set(name, value);
        return next(request);
      },
    ],
  });
  return { client: createClient(SandboxService, transport), cut: () => sessions.abort() };
}
