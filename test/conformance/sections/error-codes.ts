import { Code } from "@connectrpc/connect";
import { BadRequestSchema, ErrorReason } from "@tidybox/protocol";
import { expect } from "vitest";
import {
  connectTo,
  refusalOf,
  type Refusal,
  type ServiceClient,
  sh,
} from "../../../packages/local/src/testing/test-service.ts";
import { section } from "../contract.ts";
import { drained } from "../drained.ts";
import { ownService, SMALL, smallService } from "../own-service.ts";
import { running, started } from "../sandboxes.ts";

/** One for each code that a service answers when something is wrong with itself. */
const BROKEN = { get: "unavailable", list: "resource_exhausted", read: "internal" };

/** Refused for what is wrong with the request alone. */
async function invalidCalls(sandboxes: ServiceClient): Promise<readonly Refusal[]> {
  const sandboxId = "sb-none";
  return [
    await refusalOf(sandboxes.createSandbox({})),
    await refusalOf(sandboxes.listSandboxes({ pageSize: -1 })),
    await refusalOf(sandboxes.purgeSandboxes({})),
    await refusalOf(sandboxes.exec({ sandboxId, command: [] })),
    await refusalOf(sandboxes.exec({ sandboxId, command: ["a\0b"] })),
    await refusalOf(sandboxes.readFile({ sandboxId, path: "" })),
    await refusalOf(sandboxes.writeFile({ sandboxId, path: "a\0b" })),
    await refusalOf(sandboxes.listFileSystemSnapshots({ pageToken: "x" })),
  ];
}

export const errorCodes = section("5.2", (says) => {
  says("UNAUTHENTICATED: the credentials are wrong", async ({ bed }) => {
    const other = connectTo(bed.service.baseUrl, "wrong");
    expect(await refusalOf(other.getSandbox({ sandboxId: "sb-none" }))).toMatchObject({
      code: Code.Unauthenticated,
      message: expect.stringContaining("authorization"),
    });
  });

  says(
    "(our choice) PERMISSION_DENIED is not used: clients take it for wrong credentials",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await running(context);
      // No account may write to it.
      const refused = await refusalOf(
        sandboxes.writeFile({ sandboxId, path: "/proc/version", content: new Uint8Array(1) }),
      );
      expect([Code.PermissionDenied, Code.Unauthenticated]).not.toContain(refused.code);
      expect(refused.reason).toMatch(/^CWSANDBOX_FILE_/);
    },
  );

  says("NOT_FOUND: the id is unknown, to each RPC that takes one", async ({ bed }) => {
    const { sandboxes, discovery } = bed;
    const sandboxId = "sb-none";
    const snapshot = { fileSystemSnapshotId: "fss-none" };
    const calls = [
      () => sandboxes.getSandbox({ sandboxId }),
      () => sandboxes.deleteSandbox({ sandboxId }),
      () => sandboxes.exec({ sandboxId, command: ["true"] }),
      () => drained(sandboxes.streamLogs({ sandboxId })),
      () => sandboxes.readFile({ sandboxId, path: "/tmp/x" }),
      () => sandboxes.writeFile({ sandboxId, path: "/tmp/x" }),
      () => sandboxes.createFileSystemSnapshot({ sandboxId }),
      () => sandboxes.getFileSystemSnapshot(snapshot),
      () => sandboxes.deleteFileSystemSnapshot(snapshot),
      () => sandboxes.createSandboxFromTemplate({ templateId: "none" }),
      () => discovery.getAvailableRunner({ runnerId: "none" }),
    ];
    for (const call of calls)
      expect(await refusalOf(call())).toMatchObject({ code: Code.NotFound });
  });

  says("DEADLINE_EXCEEDED: the caller's time is over", async (context) => {
    const sandboxId = await running(context);
    const request = { sandboxId, command: ["sleep", "600"] };
    expect(await refusalOf(context.bed.sandboxes.exec(request, { timeoutMs: 300 }))).toMatchObject({
      code: Code.DeadlineExceeded,
    });
  });

  says("RESOURCE_EXHAUSTED: there is no room", async (context) => {
    await using own = await smallService(context);
    for (let count = 0; count < SMALL; count += 1) await started(own);
    expect(await refusalOf(started(own))).toMatchObject({ code: Code.ResourceExhausted });
  });

  says("CANCELLED: the caller went away, and what it had begun is ended", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await running(context);
    const goes = new AbortController();
    const command = ["/bin/sh", "-c", "echo $$ > pid; exec sleep 600"];
    const call = refusalOf(sandboxes.exec({ sandboxId, command }, { signal: goes.signal }));
    await sh(sandboxes, sandboxId, "until [ -s pid ]; do sleep 0.02; done");
    goes.abort();
    expect(await call).toMatchObject({ code: Code.Canceled });
    const gone = "while kill -0 $(cat pid) 2>/dev/null; do sleep 0.02; done";
    expect((await sh(sandboxes, sandboxId, gone)).exitCode).toBe(0);
  });

  says("INVALID_ARGUMENT comes with a BadRequest, which names each field", async ({ bed }) => {
    for (const { code, reason, error, message } of await invalidCalls(bed.sandboxes)) {
      expect(code).toBe(Code.InvalidArgument);
      expect(reason).toBe(ErrorReason.INVALID_ARGUMENT);
      const [bad] = error.findDetails(BadRequestSchema);
      expect(bad?.fieldViolations.length).toBeGreaterThan(0);
      for (const { field, description } of bad?.fieldViolations ?? []) {
        expect(field).toMatch(/^[a-z][\w.[\]]*$/);
        expect(message).toContain(description);
      }
    }
  });

  says("FAILED_PRECONDITION: the sandbox is not in the state for it", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await running(context);
    await sandboxes.purgeSandboxes({ tags: [context.tag] });
    expect(await refusalOf(sandboxes.exec({ sandboxId, command: ["true"] }))).toMatchObject({
      code: Code.FailedPrecondition,
    });
  });

  says("UNIMPLEMENTED: it cannot be had here, and the words say what", async (context) => {
    expect(await refusalOf(started(context, {}, { runtimeClass: "kata" }))).toMatchObject({
      code: Code.Unimplemented,
      message: expect.stringContaining("runtime_class"),
    });
  });

  says(
    "UNAVAILABLE and INTERNAL: something is wrong with the service, on purpose here",
    async (context) => {
      await using own = await ownService(context, { faults: { fail: BROKEN } });
      const { sandboxes } = own.bed;
      expect(await refusalOf(sandboxes.getSandbox({ sandboxId: "sb-none" }))).toMatchObject({
        code: Code.Unavailable,
        reason: ErrorReason.BACKEND_UNAVAILABLE,
      });
      expect(await refusalOf(sandboxes.listSandboxes({}))).toMatchObject({
        code: Code.ResourceExhausted,
        reason: ErrorReason.RUNNER_OVERLOADED,
      });
      expect(await refusalOf(sandboxes.readFile({ sandboxId: "x", path: "/x" }))).toMatchObject({
        code: Code.Internal,
        reason: undefined,
      });
    },
  );
});
