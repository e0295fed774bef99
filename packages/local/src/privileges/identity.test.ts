import { expect, test } from "vitest";
import { belongsToAnAccount, unusedIdentity } from "./identity.ts";

test("system accounts belong to somebody", () => {
  expect(belongsToAnAccount(0)).toBe(true);
  expect(belongsToAnAccount(65_534)).toBe(true);
});

test.runIf(process.getuid?.() === 0)(
  "root becomes an id that nobody has, another one each time",
  () => {
    const ids = Array.from({ length: 20 }, () => unusedIdentity());
    for (const id of ids) {
      expect(id?.uid).toBeGreaterThanOrEqual(20_000);
      expect(id?.gid).toBe(id?.uid);
      expect(belongsToAnAccount(id?.uid ?? 0)).toBe(false);
    }
    expect(new Set(ids.map((id) => id?.uid)).size).toBeGreaterThan(10);
  },
);

test.runIf(process.getuid?.() !== 0)("an ordinary account stays what it is", () => {
  expect(unusedIdentity()).toBeUndefined();
});
