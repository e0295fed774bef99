import { runInNewContext } from "node:vm";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { connectionProblem, isTlsProblem, reachOf } from "./connect-failure.ts";

function caused(code: Code, cause: unknown): ConnectError {
  return new ConnectError("failed", code, undefined, undefined, cause);
}

function answered(code: Code): ConnectError {
  return Object.assign(new ConnectError("refused", code), { isWireError: true });
}

test("tells what never left this machine from what may have been carried out", () => {
  const refused = Object.assign(new Error("connect"), { code: "ECONNREFUSED" });
  expect(reachOf(caused(Code.Unavailable, refused))).toBe("unsent");
  expect(
    reachOf(caused(Code.Aborted, Object.assign(new Error("reset"), { code: "ECONNRESET" }))),
  ).toBe("unknown");
  expect(reachOf(answered(Code.InvalidArgument))).toBe("answered");
  expect(reachOf(answered(Code.ResourceExhausted))).toBe("answered");
  expect(reachOf(answered(Code.Unavailable))).toBe("unknown");
  expect(reachOf(new ConnectError("late", Code.DeadlineExceeded))).toBe("unknown");
  expect(reachOf(new Error("anything"))).toBe("unknown");
});

test("sees through causes, and knows errors of another realm, as Node's are under Jest", () => {
  const foreign: unknown = runInNewContext(
    "Object.assign(new Error('lookup'), { code: 'ENOTFOUND' })",
  );
  expect(foreign instanceof Error).toBe(false);
  expect(connectionProblem(caused(Code.Internal, new Error("outer", { cause: foreign })))).toBe(
    "host name not found",
  );
  const circle = new Error("circle");
  circle.cause = circle;
  expect(connectionProblem(circle)).toBeUndefined();
});

test("knows a certificate that no other try mends", () => {
  const tls = Object.assign(new Error("self-signed certificate"), {
    code: "DEPTH_ZERO_SELF_SIGNED_CERT",
  });
  expect(isTlsProblem(caused(Code.Internal, tls))).toBe(true);
  expect(connectionProblem(caused(Code.Internal, tls))).toBe("TLS failed: self-signed certificate");
  expect(isTlsProblem(new Error("other"))).toBe(false);
});
