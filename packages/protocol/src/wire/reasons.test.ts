import { expect, test } from "vitest";
import { ErrorReason } from "./reasons.ts";
import { reasons } from "./reference-tables.test-data.ts";

test("lists every reason of the reference and no other", () => {
  expect(Object.values(ErrorReason).toSorted()).toEqual(reasons.trim().split("\n").toSorted());
});

test("names each reason as the wire does, less the prefix", () => {
  for (const [name, reason] of Object.entries(ErrorReason)) {
    expect(reason).toBe(`CWSANDBOX_${name}`);
  }
});
