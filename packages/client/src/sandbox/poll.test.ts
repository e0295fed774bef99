import { expect, test } from "vitest";
import { pollPauses } from "./poll.ts";

test("looks often at first, and less and less often up to every 2 s", () => {
  const source = pollPauses();
  const pauses = Array.from({ length: 25 }, () => source.next().value);
  expect(pauses.filter((seconds) => seconds <= 0.05).length).toBeGreaterThanOrEqual(5);
  expect(pauses.every((seconds, index) => index === 0 || seconds >= (pauses[index - 1] ?? 0))).toBe(
    true,
  );
  expect(pauses.at(-1)).toBe(2);
  expect(Math.max(...pauses)).toBe(2);
});
