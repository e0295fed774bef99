import { expect, test } from "vitest";
import { pollPauses } from "./poll.ts";
import { UsualTime } from "./usual-time.ts";

test("looks often at first, and at last every 2 s", () => {
  const source = pollPauses();
  const pauses = Array.from({ length: 60 }, () => source.next().value);
  expect(pauses.filter((seconds) => seconds <= 0.05).length).toBeGreaterThanOrEqual(5);
  expect(pauses.at(-1)).toBe(2);
  expect(Math.max(...pauses)).toBe(2);
});

test("looks at what is quick no more often than every 5 ms, however quick it usually is", () => {
  for (const usual of [undefined, 0.006, 0.012, 0.04]) {
    const source = pollPauses(usual);
    const pauses = Array.from({ length: 20 }, () => source.next().value);
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(0.005);
  }
  expect(seenAt(0.0125, 0.012).looks).toBeLessThanOrEqual(2);
});

/** When the first look comes that is not too early. */
function seenAt(takesSeconds: number, usualSeconds: number | undefined) {
  let elapsed = 0;
  let looks = 0;
  for (const seconds of pollPauses(usualSeconds)) {
    elapsed += seconds;
    looks += 1;
    if (elapsed >= takesSeconds) break;
  }
  return { late: elapsed / takesSeconds, looks };
}

test.for([0.3, 1, 2, 10, 45])("what takes %s s is seen soon after", (takesSeconds) => {
  expect(seenAt(takesSeconds, undefined).late).toBeLessThan(1.2);
});

test.for([0.3, 1, 2, 10, 45])("what usually takes %s s is seen sooner, by fewer looks", (usual) => {
  const { late, looks } = seenAt(usual * 1.01, usual);
  expect(late).toBeLessThan(1.05);
  expect(looks).toBeLessThan(7);
  // What has become slower is not seen much too late; of what has become quicker the next ones learn.
  expect(seenAt(usual * 4, usual).late).toBeLessThan(1.2);
});

test.for([0.3, 1, 10])(
  "from whatever was usual before, %s s are learnt within a few waits",
  (takes) => {
    for (const before of [takes / 5, takes * 0.9, takes * 1.4, takes * 5]) {
      const usual = new UsualTime();
      for (let known = 0; known < 8; known += 1) usual.saw(before);
      for (let wait = 0; wait < 12; wait += 1) usual.saw(learntFrom(takes, usual.seconds));
      expect(seenAt(takes, usual.seconds).late).toBeLessThan(1.08);
    }
  },
);

/** As pollUntil learns: the middle between the last two looks. */
function learntFrom(takesSeconds: number, usualSeconds: number | undefined): number {
  let elapsed = 0;
  let before = 0;
  for (const seconds of pollPauses(usualSeconds)) {
    before = elapsed;
    elapsed += seconds;
    if (elapsed >= takesSeconds) break;
  }
  return (before + elapsed) / 2;
}
