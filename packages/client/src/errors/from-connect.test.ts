import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorReason, State } from "@tidybox/protocol";
import { describe, expect, test } from "vitest";
import { call } from "../connection/call.ts";
import { refusal, sandboxRecord, startFaultService } from "../testing/fault-service.ts";
import { CommandTimeoutError } from "./command-errors.ts";
import { toTidyboxError } from "./from-connect.ts";
import {
  AuthenticationError,
  NotFoundError,
  QuotaError,
  TimeoutError,
  UnavailableError,
} from "./request-errors.ts";
import { FileError, SandboxClosedError } from "./sandbox-errors.ts";
import { TidyboxError } from "./tidybox-error.ts";

/** The error after a way over the wire, as a client meets it. */
async function received(error: ConnectError): Promise<TidyboxError> {
  await using service = await startFaultService({
    getSandbox: () => {
      throw error;
    },
    listSandboxes: () => ({ sandboxes: [sandboxRecord(State.RUNNING)] }),
  });
  try {
    await call(
      service.connection,
      { action: "look", sandboxId: "sb-9", path: "/a" },
      { retry: "unsent" },
      (client, options) => client.getSandbox({}, options),
    );
  } catch (failure) {
    if (failure instanceof TidyboxError) return failure;
  }
  return expect.unreachable();
}

describe("a reason of the service wins over the code", () => {
  test.for([
    [ErrorReason.SANDBOX_NOT_FOUND, NotFoundError],
    [ErrorReason.SANDBOX_NOT_RUNNING, SandboxClosedError],
    [ErrorReason.COMMAND_TIMEOUT, CommandTimeoutError],
    [ErrorReason.FILE_IO_FAILED, FileError],
    [ErrorReason.BACKEND_UNAVAILABLE, UnavailableError],
  ] as const)("%s", async ([reason, kind]) => {
    const error = await received(refusal(Code.Internal, reason, { metadata: { filepath: "/a" } }));
    expect(error).toBeInstanceOf(kind);
    expect(error).toMatchObject({ reason, sandboxId: "sb-9", metadata: { filepath: "/a" } });
    expect(error.cause).toBeInstanceOf(ConnectError);
  });
});

test("somebody else's reason is shown, and the code decides", async () => {
  const error = await received(
    refusal(Code.ResourceExhausted, ErrorReason.SANDBOX_NOT_FOUND, {
      domain: "proxy.example.com",
      retryNanos: 5e8,
    }),
  );
  expect(error).toBeInstanceOf(QuotaError);
  expect(error).toMatchObject({ reason: ErrorReason.SANDBOX_NOT_FOUND, retryDelaySeconds: 0.5 });
});

test.for([
  [Code.Unauthenticated, AuthenticationError],
  [Code.PermissionDenied, AuthenticationError],
  [Code.NotFound, NotFoundError],
  [Code.DeadlineExceeded, TimeoutError],
  [Code.Unavailable, UnavailableError],
] as const)("code %i", async ([code, kind]) => {
  expect(await received(refusal(code))).toBeInstanceOf(kind);
});

test("says what the service's message says already only once", async () => {
  const error = new ConnectError("spec.tags: too long", Code.InvalidArgument);
  const value = create(BadRequestSchema, {
    fieldViolations: [{ field: "spec.tags", description: "too long" }],
  });
  error.details.push({ desc: BadRequestSchema, value });
  expect((await received(error)).message.match(/too long/g)).toHaveLength(1);
});

test("says which field the service refused", async () => {
  const error = refusal(Code.InvalidArgument);
  const value = create(BadRequestSchema, {
    fieldViolations: [{ field: "spec.tags", description: "too long" }],
  });
  error.details.push({ desc: BadRequestSchema, value });
  const seen = await received(error);
  expect(seen.code).toBe("service_error");
  expect(seen.fieldViolations).toEqual([{ field: "spec.tags", description: "too long" }]);
  expect(seen.attempts).toBe(1);
  expect(seen.message).toContain(
    "Could not look (sandbox sb-9): refused by the test; spec.tags: too long",
  );
});

test("leaves errors of ours alone, and wraps what is no call", () => {
  const ours = new TidyboxError({ code: "x", message: "m", advice: "a" });
  const context = { action: "look", address: "http://127.0.0.1:1" };
  expect(toTidyboxError(ours, context)).toBe(ours);
  const cause = new RangeError("odd");
  expect(toTidyboxError(cause, context)).toMatchObject({ code: "internal_error", cause });
});

test("a subclass is known across copies of the package, others are not", () => {
  class NotFound extends NotFoundError {}
  const error: unknown = new NotFound({ message: "m" });
  expect(error instanceof NotFoundError && error instanceof TidyboxError).toBe(true);
  expect(error instanceof QuotaError).toBe(false);
  const foreign: unknown = Object.assign(new Error("m"), {
    [Symbol.for("@tidybox/client/error-kinds")]: ["NotFoundError", "TidyboxError"],
  });
  expect(foreign instanceof NotFoundError).toBe(true);
  expect({} instanceof TidyboxError).toBe(false);
});
