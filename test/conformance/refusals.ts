import { create } from "@bufbuild/protobuf";
import type { Code } from "@connectrpc/connect";
import { BadRequestSchema, type ErrorReason, SandboxSpecSchema } from "@tidybox/protocol";
import { expect } from "vitest";
import { refusalOf, type SpecInit, specOf } from "../../packages/local/src/testing/test-service.ts";
import type { CaseBody, CaseContext } from "./contract.ts";

export interface ExpectedRefusal {
  readonly code: Code;
  readonly reason: ErrorReason;
  /** Path of the field that is to blame, in the message and in a BadRequest. */
  readonly field: string;
}

/** Passes when a call fails with this code and reason, and names the field as clients look for it. */
export async function expectRefused(
  call: Promise<unknown>,
  { code, reason, field }: ExpectedRefusal,
): Promise<void> {
  const refusal = await refusalOf(call);
  expect(refusal).toMatchObject({ code, reason, message: expect.stringContaining(field) });
  const fields = refusal.error
    .findDetails(BadRequestSchema)
    .flatMap(({ fieldViolations }) => fieldViolations.map((violation) => violation.field));
  expect(fields).toContain(field);
}

/** Passes when a call fails with this code and reason; for what no field is to blame for. */
export async function expectReason(
  call: Promise<unknown>,
  code: Code,
  reason: ErrorReason,
): Promise<void> {
  expect(await refusalOf(call)).toMatchObject({ code, reason });
}

/** The same of the creation of a sandbox; `field` is relative to its spec. */
export async function expectSpecRefused(
  { bed, tag }: CaseContext,
  init: SpecInit,
  { field, ...expected }: ExpectedRefusal,
): Promise<void> {
  const spec = create(SandboxSpecSchema, init);
  spec.tags.push(tag);
  await expectRefused(bed.sandboxes.createSandbox({ sandbox: { spec } }), {
    ...expected,
    field: field === "" ? "sandbox.spec" : `sandbox.spec.${field}`,
  });
}

/** A case that is over with one refused creation. */
export function refuses(
  container: Parameters<typeof specOf>[0],
  rest: SpecInit,
  expected: ExpectedRefusal,
): CaseBody {
  return (context) => expectSpecRefused(context, specOf(container, rest), expected);
}
