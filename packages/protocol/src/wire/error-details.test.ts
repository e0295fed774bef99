import { create, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../gen/google/rpc/error_details_pb.ts";

// Bytes written out by hand from the field numbers of reference 5.1: tag, length, content.
const member = (tag: number, content: readonly number[]): number[] => [
  tag,
  content.length,
  ...content,
];
const text = (tag: number, value: string): number[] => member(tag, [...Buffer.from(value)]);

test("encodes ErrorInfo as reason 1, domain 2, metadata 3", () => {
  const info = create(ErrorInfoSchema, { reason: "R", domain: "d", metadata: { k: "v" } });
  const entry = [...text(0x0a, "k"), ...text(0x12, "v")];
  expect([...toBinary(ErrorInfoSchema, info)]).toEqual([
    ...text(0x0a, "R"),
    ...text(0x12, "d"),
    ...member(0x1a, entry),
  ]);
  expect(ErrorInfoSchema.typeName).toBe("google.rpc.ErrorInfo");
});

test("encodes RetryInfo as a Duration in field 1", () => {
  const info = create(RetryInfoSchema, { retryDelay: { seconds: 2n, nanos: 5 } });
  expect([...toBinary(RetryInfoSchema, info)]).toEqual([0x0a, 4, 0x08, 2, 0x10, 5]);
  expect(RetryInfoSchema.typeName).toBe("google.rpc.RetryInfo");
});

test("encodes BadRequest as violations of field 1, description 2, reason 3, localized 4", () => {
  const bad = create(BadRequestSchema, {
    fieldViolations: [
      {
        field: "f",
        description: "d",
        reason: "r",
        localizedMessage: { locale: "en", message: "m" },
      },
    ],
  });
  const localized = [...text(0x0a, "en"), ...text(0x12, "m")];
  const violation = [
    ...text(0x0a, "f"),
    ...text(0x12, "d"),
    ...text(0x1a, "r"),
    ...member(0x22, localized),
  ];
  expect([...toBinary(BadRequestSchema, bad)]).toEqual(member(0x0a, violation));
  expect(BadRequestSchema.typeName).toBe("google.rpc.BadRequest");
});
