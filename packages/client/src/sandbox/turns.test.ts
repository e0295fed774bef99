import { expect, test } from "vitest";
import { Turns } from "./turns.ts";

const { signal } = new AbortController();

test("gives so many turns at once, in the order of asking", async () => {
  const turns = new Turns(2);
  const begun: number[] = [];
  const ends = [1, 2, 3, 4].map(async (number) => {
    const end = await turns.take(signal);
    begun.push(number);
    return end;
  });
  const [first, second] = await Promise.all(ends.slice(0, 2));
  expect([begun, turns.taken, turns.waiting]).toEqual([[1, 2], 2, 2]);
  first?.();
  first?.();
  await ends[2];
  expect([begun, turns.taken, turns.waiting]).toEqual([[1, 2, 3], 2, 1]);
  second?.();
  for (const end of await Promise.all(ends)) end();
  expect([begun, turns.taken, turns.waiting]).toEqual([[1, 2, 3, 4], 0, 0]);
});

test("who gives up leaves the queue, and takes nobody's turn", async () => {
  const turns = new Turns(1);
  const end = await turns.take(signal);
  const giveUp = new AbortController();
  const given = turns.take(giveUp.signal);
  const next = turns.take(signal);
  giveUp.abort(new Error("enough"));
  await expect(given).rejects.toThrow("enough");
  expect(turns.waiting).toBe(1);
  end();
  (await next)();
  expect(turns.taken).toBe(0);
  await expect(turns.take(giveUp.signal)).rejects.toThrow("enough");
});

test("all who wait can be refused, and those whose turn it is stay", async () => {
  const turns = new Turns(1);
  const end = await turns.take(signal);
  const waiting = Promise.allSettled([turns.take(signal), turns.take(signal)]);
  turns.refuseWaiting(new Error("over"));
  expect((await waiting).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect([turns.taken, turns.waiting]).toEqual([1, 0]);
  end();
  expect(turns.taken).toBe(0);
});
