import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { SandboxService } from "@tidybox/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestService, type TestService } from "../testing/local-service.ts";
import { Connection } from "./connection.ts";
import { transportOf } from "./transport-of.ts";

/** More than Node sends of its own accord before it is told to go on. */
const LARGE_BYTES = 32 * 1024 * 1024;

let service: TestService;
beforeAll(async () => {
  service = await startTestService({ engine: "process" });
});
afterAll(() => service[Symbol.asyncDispose]());

test("hears why a large message is refused while it is still being sent", async () => {
  using connection = new Connection({ baseUrl: service.baseUrl, apiKey: "wrong" });
  const client = createClient(SandboxService, transportOf(connection));
  const content = new Uint8Array(LARGE_BYTES);
  const refused = client.writeFile({ sandboxId: "sb-none", path: "file", content });
  const error = await refused.catch((cause: unknown) => ConnectError.from(cause));
  expect(error).toMatchObject({ code: Code.Unauthenticated });
});

test("hears the answers of other calls while large messages are sent", async () => {
  const client = createClient(SandboxService, transportOf(service.connection));
  const content = new Uint8Array(LARGE_BYTES);
  const writes = Array.from({ length: 3 }, () =>
    client
      .writeFile({ sandboxId: "sb-none", path: "file", content })
      .catch((cause: unknown) => ConnectError.from(cause).code),
  );
  const listings = await Promise.all(
    Array.from({ length: 50 }, () => client.listSandboxes({ tags: ["none"] })),
  );
  expect(listings.every(({ sandboxes }) => sandboxes.length === 0)).toBe(true);
  expect(await Promise.all(writes)).toEqual(writes.map(() => Code.NotFound));
});
