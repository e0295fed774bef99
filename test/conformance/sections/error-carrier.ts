import { fromBinary, toBinary, create } from "@bufbuild/protobuf";
import {
  BadRequestSchema,
  CreateSandboxRequestSchema,
  ErrorInfoSchema,
  ExecRequestSchema,
  GetSandboxRequestSchema,
  ReadFileRequestSchema,
  RetryInfoSchema,
  SandboxSpecSchema,
  StreamLogsRequestSchema,
} from "@tidybox/protocol";
import { expect } from "vitest";
import { specOf } from "../../../packages/local/src/testing/test-service.ts";
import { type CaseContext, section } from "../contract.ts";
import { SMALL, smallService } from "../own-service.ts";
import { rawCall } from "../raw-call.ts";
import { running, started } from "../sandboxes.ts";
import {
  fieldsOf,
  messagesIn,
  numberIn,
  type StatusDetails,
  statusDetails,
  textsIn,
} from "../wire-fields.ts";

/** As gRPC numbers them. */
const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const RESOURCE_EXHAUSTED = 8;
const UNIMPLEMENTED = 12;

const ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo";
const RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo";
const BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest";

interface RawFailure extends StatusDetails {
  readonly grpcStatus: number;
  readonly grpcMessage: string;
}

/** The trailers of a call that must fail, and what its `grpc-status-details-bin` carries. */
async function failureOf(
  { bed: { service } }: CaseContext,
  rpc: string,
  message: Uint8Array,
): Promise<RawFailure> {
  const answer = await rawCall({
    baseUrl: service.baseUrl,
    path: `/coreweave.sandbox.v1.SandboxService/${rpc}`,
    headers: { authorization: `Bearer ${service.token}` },
    message,
  });
  // Where nothing else was sent, the trailers are in the headers.
  const trailers = { ...answer.headers, ...answer.trailers };
  const details = trailers["grpc-status-details-bin"];
  if (typeof details !== "string") throw new Error(`${rpc}: no grpc-status-details-bin`);
  return {
    grpcStatus: Number(trailers["grpc-status"]),
    grpcMessage: decodeURIComponent(String(trailers["grpc-message"])),
    ...statusDetails(details),
  };
}

function getOf(sandboxId: string): Uint8Array {
  return toBinary(GetSandboxRequestSchema, create(GetSandboxRequestSchema, { sandboxId }));
}

function createOf(spec: Parameters<typeof specOf>[1], { tag }: CaseContext): Uint8Array {
  const whole = create(SandboxSpecSchema, specOf({}, spec));
  whole.tags.push(tag);
  const request = create(CreateSandboxRequestSchema, { sandbox: { spec: whole } });
  return toBinary(CreateSandboxRequestSchema, request);
}

function detail({ details }: StatusDetails, typeUrl: string): Buffer {
  const found = details.filter((each) => each.typeUrl === typeUrl);
  expect(found).toHaveLength(1);
  return found[0]?.value ?? Buffer.alloc(0);
}

export const errorCarrier = section("5.1", (says) => {
  says(
    "grpc-status-details-bin holds a google.rpc.Status: code 1, message 2, details 3",
    async (context) => {
      const failure = await failureOf(context, "GetSandbox", getOf("sb-none"));
      expect(failure.grpcStatus).toBe(NOT_FOUND);
      expect(failure.code).toBe(NOT_FOUND);
      expect(failure.message).toBe(failure.grpcMessage);
      expect(failure.message).toContain("sb-none");
      expect(failure.details.length).toBeGreaterThan(0);
      for (const { typeUrl } of failure.details)
        expect(typeUrl).toMatch(/^type\.googleapis\.com\/google\.rpc\.[A-Za-z]+$/);
    },
  );

  says("ErrorInfo has the reason in 1 and the domain cwsandbox.com in 2", async (context) => {
    const failure = await failureOf(context, "GetSandbox", getOf("sb-none"));
    const info = fieldsOf(detail(failure, ERROR_INFO));
    expect(textsIn(info, 1)).toEqual(["CWSANDBOX_SANDBOX_NOT_FOUND"]);
    expect(textsIn(info, 2)).toEqual(["cwsandbox.com"]);
  });

  says("ErrorInfo has its metadata in 3, keys in 1 and values in 2", async (context) => {
    const sandboxId = await running(context);
    const request = create(ReadFileRequestSchema, { sandboxId, path: "/tmp/näh\n%" });
    const message = toBinary(ReadFileRequestSchema, request);
    const info = fieldsOf(detail(await failureOf(context, "ReadFile", message), ERROR_INFO));
    const entries = messagesIn(info, 3).map((entry) => [
      textsIn(entry, 1)[0],
      textsIn(entry, 2)[0],
    ]);
    expect(entries).toContainEqual(["filepath", "/tmp/näh\n%"]);
  });

  says("RetryInfo has a Duration in 1, seconds in 1 and nanos in 2", async (context) => {
    await using own = await smallService(context);
    for (let count = 0; count < SMALL; count += 1) await started(own);
    const failure = await failureOf(own, "CreateSandbox", createOf({}, own));
    expect(failure.grpcStatus).toBe(RESOURCE_EXHAUSTED);
    const [delay, ...more] = messagesIn(fieldsOf(detail(failure, RETRY_INFO)), 1);
    if (delay === undefined) throw new Error("there is no retry_delay");
    expect(more).toEqual([]);
    const milliseconds = numberIn(delay, 1) * 1000 + numberIn(delay, 2) / 1e6;
    expect(milliseconds).toBeGreaterThan(0);
    expect(milliseconds).toBeLessThan(10_000);
  });

  says(
    "BadRequest has its violations in 1, the field in 1 and what is wrong in 2",
    async (context) => {
      const request = createOf({ tags: ["bad-"], maxLifetimeSeconds: -1 }, context);
      const failure = await failureOf(context, "CreateSandbox", request);
      expect(failure.grpcStatus).toBe(INVALID_ARGUMENT);
      const violations = messagesIn(fieldsOf(detail(failure, BAD_REQUEST)), 1);
      expect(violations.map((each) => textsIn(each, 1)[0])).toEqual([
        "sandbox.spec.tags[0]",
        "sandbox.spec.max_lifetime_seconds",
      ]);
      for (const violation of violations) expect(textsIn(violation, 2)[0]).not.toBe("");
    },
  );

  says(
    "there is one detail of each kind at most, so that the first is the one",
    async (context) => {
      await using own = await smallService(context);
      for (let count = 0; count < SMALL; count += 1) await started(own);
      const failures = [
        await failureOf(context, "GetSandbox", getOf("sb-none")),
        await failureOf(context, "CreateSandbox", createOf({ tags: ["-", "!"] }, context)),
        await failureOf(own, "CreateSandbox", createOf({}, own)),
      ];
      for (const { details } of failures) {
        const kinds = details.map(({ typeUrl }) => typeUrl);
        expect(new Set(kinds).size).toBe(kinds.length);
        expect(kinds).toContain(ERROR_INFO);
      }
    },
  );

  says("streams that fail carry the same in their trailers", async (context) => {
    const request = create(StreamLogsRequestSchema, { sandboxId: "sb-none" });
    const message = toBinary(StreamLogsRequestSchema, request);
    const failure = await failureOf(context, "StreamLogs", message);
    expect(failure.grpcStatus).toBe(NOT_FOUND);
    expect(textsIn(fieldsOf(detail(failure, ERROR_INFO)), 1)).toEqual([
      "CWSANDBOX_SANDBOX_NOT_FOUND",
    ]);
  });

  says(
    "any text gets through: the status message is percent-encoded, the details are not",
    async (context) => {
      const sandboxId = "sb-ä%20\n💥";
      const failure = await failureOf(context, "GetSandbox", getOf(sandboxId));
      expect(failure.message).toBe(failure.grpcMessage);
      expect(failure.message).toContain("ä%20");
      expect(failure.message).toContain("💥");
    },
  );

  says("what is read by number is read by name as well", async (context) => {
    await using own = await smallService(context);
    for (let count = 0; count < SMALL; count += 1) await started(own);
    const full = await failureOf(own, "CreateSandbox", createOf({}, own));
    const bad = await failureOf(own, "CreateSandbox", createOf({ tags: ["-"] }, own));
    expect(fromBinary(ErrorInfoSchema, detail(full, ERROR_INFO)).domain).toBe("cwsandbox.com");
    expect(fromBinary(RetryInfoSchema, detail(full, RETRY_INFO)).retryDelay).toBeDefined();
    const { fieldViolations } = fromBinary(BadRequestSchema, detail(bad, BAD_REQUEST));
    expect(fieldViolations.map(({ field }) => field)).toEqual(["sandbox.spec.tags[0]"]);
  });

  says("no refusal of the service has another domain, or none", async (context) => {
    const sandboxId = await running(context);
    const exec = (request: object) =>
      toBinary(ExecRequestSchema, create(ExecRequestSchema, { sandboxId, ...request }));
    const failures = [
      await failureOf(context, "Exec", exec({})),
      await failureOf(context, "Exec", exec({ command: ["true"], container: "none" })),
      await failureOf(context, "Exec", exec({ command: ["true"], maxOutputBytes: -1 })),
      await failureOf(context, "CreateSandbox", new Uint8Array()),
      await failureOf(context, "CreateSandbox", createOf({ runtimeClass: "kata" }, context)),
      await failureOf(context, "DeleteSandbox", getOf("sb-none")),
      await failureOf(context, "PurgeSandboxes", new Uint8Array()),
      await failureOf(context, "GetFileSystemSnapshot", getOf("fss-none")),
    ];
    for (const failure of failures) {
      const info = fieldsOf(detail(failure, ERROR_INFO));
      expect(textsIn(info, 2)).toEqual(["cwsandbox.com"]);
      expect(textsIn(info, 1)[0]).toMatch(/^CWSANDBOX_[A-Z_]+$/);
    }
    expect(failures.map(({ grpcStatus }) => grpcStatus)).toEqual([
      ...[INVALID_ARGUMENT, INVALID_ARGUMENT, INVALID_ARGUMENT],
      ...[INVALID_ARGUMENT, UNIMPLEMENTED, NOT_FOUND, INVALID_ARGUMENT, NOT_FOUND],
    ]);
  });
});
