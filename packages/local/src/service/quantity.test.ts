import { expect, test } from "vitest";
import { parseQuantity } from "./quantity.ts";

test.each([
  ["1024", 1024],
  ["1k", 1000],
  ["64Ki", 65_536],
  ["512Mi", 536_870_912],
  ["1.5Gi", 1_610_612_736],
  ["2T", 2e12],
])("%s is %d bytes", (text, bytes) => {
  expect(parseQuantity(text)).toBe(bytes);
});

test.each(["", "Mi", "-1", "1 Gi", "1GiB", "1e3", "50%", "0x10"])("%j is no quantity", (text) => {
  expect(parseQuantity(text)).toBeUndefined();
});
