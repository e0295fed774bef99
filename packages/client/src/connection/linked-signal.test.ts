import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { Deadline } from "./deadline.ts";
import { LinkedSignal } from "./linked-signal.ts";

const aborted = (signal: AbortSignal) =>
  new Promise((resolve) => signal.addEventListener("abort", () => resolve(signal.reason)));

test("aborts with the reason of the first that does, once", () => {
  const sources = [new AbortController(), new AbortController()];
  using link = new LinkedSignal([undefined, ...sources.map(({ signal }) => signal)]);
  expect(link.signal.aborted).toBe(false);
  sources[1]?.abort(new Error("the second"));
  sources[0]?.abort(new Error("the first"));
  expect(link.signal.reason).toEqual(new Error("the second"));
  expect(link.expired).toBe(false);
});

test("one that was aborted before is aborted at once, and its time is never over", async () => {
  const reason = new Error("long ago");
  using link = new LinkedSignal([AbortSignal.abort(reason)], 0.001);
  expect(link.signal.reason).toBe(reason);
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(link.expired).toBe(false);
});

test("after its time it aborts with what it was told to, and says that it was the time", async () => {
  using link = new LinkedSignal([], 0.01);
  expect(await aborted(link.signal)).toMatchObject({ name: "TimeoutError" });
  expect(link.expired).toBe(true);
  using deadline = new Deadline(0.01, [], () => new Error("too late"));
  expect(await aborted(deadline.signal)).toEqual(new Error("too late"));
  expect(deadline.remainingSeconds).toBe(0);
});

test("let go of, it leaves nothing on signals that live on, and hears of nothing more", async () => {
  const long = new AbortController();
  const links = Array.from(
    { length: 20 },
    () => new Deadline(0.02, [long.signal], () => new Error("late")),
  );
  expect(getEventListeners(long.signal, "abort")).toHaveLength(20);
  for (const link of links) link[Symbol.dispose]();
  expect(getEventListeners(long.signal, "abort")).toEqual([]);
  long.abort();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(links.filter(({ signal }) => signal.aborted)).toEqual([]);
});

test("a time longer than any timer holds does not end at once", async () => {
  using link = new LinkedSignal([], 2 ** 31);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(link.signal.aborted).toBe(false);
});
