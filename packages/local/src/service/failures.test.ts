import { Code } from "@connectrpc/connect";
import { BadRequestSchema } from "@tidybox/protocol";
import { expect, test } from "vitest";
import { startedServices } from "../testing/started-services.ts";
import { createRunning, refusalOf, specOf } from "../testing/test-service.ts";

const { start } = startedServices();

/** Longer than all trailers of a call may be. */
const LONG = "é".repeat(70_000);

test("an error that repeats what a client has sent stays short, and its connection whole", async () => {
  const { client } = await start({ engine: "process" });
  const sandboxId = await createRunning(
    client,
    specOf({ command: "/bin/sh", args: ["-c", "echo said; sleep 600"] }),
  );
  const logs = client.streamLogs({ sandboxId, follow: true })[Symbol.asyncIterator]();
  await logs.next();
  const calls = [
    () => client.getSandbox({ sandboxId: LONG }),
    () => client.getFileSystemSnapshot({ fileSystemSnapshotId: LONG }),
    () => client.createSandboxFromTemplate({ templateId: LONG }),
    () => client.readFile({ sandboxId, path: `/workspace/${LONG}` }),
    () => client.readFile({ sandboxId, path: `/workspace/${"x/".repeat(1500)}` }),
    () => client.exec({ sandboxId, command: ["true"], container: LONG }),
    () => client.createSandbox({ sandbox: { spec: specOf({}, { tags: [LONG, `${LONG} `] }) } }),
  ];
  for (const call of calls) {
    const { code, message } = await refusalOf(call());
    expect([Code.NotFound, Code.InvalidArgument, Code.FailedPrecondition]).toContain(code);
    expect(Buffer.byteLength(message)).toBeLessThan(1500);
  }
  // All of them came over the connection of the stream, which has not been told to go away.
  expect((await client.getSandbox({ sandboxId })).sandboxId).toBe(sandboxId);
  await logs.return?.();
});

test("of many violations the first are told, and how many more there are", async () => {
  const { client } = await start({ engine: "process" });
  const tags = Array.from({ length: 50 }, (_, index) => `not a tag ${index}`);
  const refused = await refusalOf(
    client.createSandbox({ sandbox: { spec: specOf({}, { tags }) } }),
  );
  expect(refused.message).toContain("and 42 more");
  const [details] = refused.error.findDetails(BadRequestSchema);
  expect(details?.fieldViolations.map(({ field }) => field)).toEqual(
    tags.slice(0, 8).map((_, index) => `sandbox.spec.tags[${index}]`),
  );
});
