/** A bare Connect server: answers at once, streams so many bytes, or counts what it gets. */
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { create } from "@bufbuild/protobuf";
import {
  ExecStreamOutput_Stream,
  type ExecStreamResponse,
  ExecStreamResponseSchema,
  SandboxSchema,
  SandboxService,
} from "@tidybox/protocol";

const server = createServer(
  connectNodeAdapter({
    routes: (router) =>
      router.service(SandboxService, {
        getSandbox: ({ sandboxId }) => create(SandboxSchema, { sandboxId }),
        async *streamExec(requests): AsyncGenerator<ExecStreamResponse> {
          let gotBytes = 0;
          for await (const { message } of requests) {
            if (message.case === "stdin") gotBytes += message.value.length;
            if (message.case !== "init") continue;
            const [totalBytes, chunkBytes] = message.value.command.map(Number);
            yield create(ExecStreamResponseSchema, { message: { case: "ready", value: {} } });
            const data = new Uint8Array(chunkBytes ?? 0);
            for (let left = totalBytes ?? 0; left > 0; left -= data.length) {
              const value = {
                stream: ExecStreamOutput_Stream.STDOUT,
                data: data.subarray(0, left),
              };
              yield create(ExecStreamResponseSchema, { message: { case: "output", value } });
            }
          }
          const exitCode = gotBytes % 251;
          yield create(ExecStreamResponseSchema, {
            message: { case: "exit", value: { exitCode } },
          });
        },
      }),
  }),
);
server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
process.once("disconnect", () => process.exit(0));
