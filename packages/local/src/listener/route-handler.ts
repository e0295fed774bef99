import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { ContextValues } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import {
  connectNodeAdapter,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";

type Handler = (request: Http2ServerRequest, response: Http2ServerResponse) => void;

/**
 * Connect's own adapter for Node, but for one thing: a client may leave in the middle of an answer,
 * as those of commands and logs do all the time, and that is nothing to print an error for.
 */
export function routeHandler(
  handlers: readonly UniversalHandler[],
  contextValues: (request: Http2ServerRequest) => ContextValues,
): Handler {
  const byPath = new Map(handlers.map((handler) => [handler.requestPath, handler]));
  const unknown: Handler = connectNodeAdapter({ routes: () => {} });
  return (request, response) => {
    const handler = byPath.get(request.url.split("?", 1)[0] ?? "");
    if (handler === undefined) return unknown(request, response);
    const call = universalRequestFromNodeRequest(
      request,
      response,
      undefined,
      contextValues(request),
    );
    handler(call)
      .then((answer) => universalResponseToNodeResponse(answer, response))
      .catch((error: unknown) => {
        if (call.signal.aborted || response.destroyed || response.stream?.destroyed) return;
        const cause = error instanceof Error ? error : new Error(String(error));
        process.emitWarning(`${handler.method.name} was not answered: ${cause.stack}`);
      });
  };
}
