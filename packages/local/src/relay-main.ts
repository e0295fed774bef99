/**
 * The process between the ports of one sandbox and this machine's loopback. It is in the network of
 * the sandbox, and in nothing else of it: above all not in its pid namespace, where the sandbox could
 * take hold of a process that sees the host's files. The listening sockets are the host's, and come
 * over the channel to the helper, as long as which it lives. It imports nothing but Node's own modules.
 */
import { connect, type Server, type Socket } from "node:net";
import type { RelayAnswer, RelayRequest } from "./spawner/relay-messages.ts";

/** Of one port; more are turned away, before they cost memory. */
const MAX_CONNECTIONS = 1024;

function relay(server: Server, port: number): void {
  server.maxConnections = MAX_CONNECTIONS;
  // Out of descriptors: those that are open go on.
  server.on("error", () => {});
  server.on("connection", (outer: Socket) => {
    outer.allowHalfOpen = true;
    const inner = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    join(outer, inner);
    join(inner, outer);
  });
}

/** One direction. Each half ends on its own; what breaks on one side breaks on the other. */
function join(from: Socket, to: Socket): void {
  from.setNoDelay(true);
  from.on("error", () => to.resetAndDestroy());
  from.pipe(to);
}

process.on("disconnect", () => process.exit());
process.on("message", (request: RelayRequest, server: unknown) => {
  relay(server as Server, request.port);
  const answer: RelayAnswer = { type: "relaying", port: request.port };
  process.send?.(answer);
});
if (!process.connected) process.exit();
