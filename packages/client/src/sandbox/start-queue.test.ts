import { ErrorReason } from "@tidybox/protocol";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Connection } from "../connection/connection.ts";
import { QuotaError } from "../errors/request-errors.ts";
import { StartQueue, type StartTurn } from "./start-queue.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const { signal } = new AbortController();
const far = new Connection({ baseUrl: "https://sandbox.example", apiKey: "k" });
const here = new Connection({ baseUrl: "http://127.0.0.1:1", apiKey: "k" });
const tooFast = (retryDelaySeconds?: number) =>
  new QuotaError({
    message: "too fast",
    reason: ErrorReason.RUNNER_OVERLOADED,
    retryDelaySeconds,
  });

/** Asks for so many turns; what is answered grows as they begin. */
function ask(queue: StartQueue, count: number): StartTurn[] {
  const begun: StartTurn[] = [];
  for (let number = 0; number < count; number += 1)
    void queue.turn(signal).then((turn) => begun.push(turn));
  return begun;
}

test("begins modestly with a service far away, and without a limit on this machine", async () => {
  const begun = ask(new StartQueue(far, 64), 60);
  const local = ask(new StartQueue(here, 64), 60);
  await vi.advanceTimersByTimeAsync(0);
  expect([begun.length, local.length]).toEqual([16, 60]);
  await vi.advanceTimersByTimeAsync(200);
  expect(begun.length).toBeGreaterThan(20);
  expect(begun.length).toBeLessThan(50);
});

test("as long as none is refused more and more leave, without waiting for their answers", async () => {
  const begun = ask(new StartQueue(far, 200), 200);
  await vi.advanceTimersByTimeAsync(100);
  const atFirst = begun.length;
  expect(atFirst).toBeLessThan(40);
  await vi.advanceTimersByTimeAsync(900);
  expect(begun.length).toBeGreaterThan(atFirst * 4);
});

test("a refusal for speed holds back what comes next, its own next try too", async () => {
  const queue = new StartQueue(here, 64);
  const [turn] = ask(queue, 1);
  await vi.advanceTimersByTimeAsync(0);
  const first = turn ?? (await queue.turn(signal));
  await first.beforeTry();
  first.failed(tooFast(3));
  const next = ask(queue, 1);
  let triedAgain = false;
  void first.beforeTry().then(() => (triedAgain = true));
  await vi.advanceTimersByTimeAsync(2900);
  expect([next.length, triedAgain]).toEqual([0, false]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect([next.length, triedAgain]).toEqual([1, true]);
});

test("a used up quota says nothing about speed", async () => {
  const queue = new StartQueue(here, 64);
  const turn = queue.turn(signal);
  await vi.advanceTimersByTimeAsync(0);
  (await turn).failed(
    new QuotaError({ message: "no reason: too many are there", retryDelaySeconds: 3 }),
  );
  const next = ask(queue, 2);
  await vi.advanceTimersByTimeAsync(0);
  expect(next.length).toBe(2);
});

test("who gives up while it waits for the pace leaves its place to others", async () => {
  const queue = new StartQueue(far, 64);
  const begun = ask(queue, 16);
  await vi.advanceTimersByTimeAsync(0);
  const giveUp = new AbortController();
  const given = queue.turn(giveUp.signal).catch((error: unknown) => error);
  const next = ask(queue, 1);
  await vi.advanceTimersByTimeAsync(10);
  giveUp.abort(new Error("enough"));
  expect(await given).toMatchObject({ message: "enough" });
  await vi.advanceTimersByTimeAsync(400);
  expect([begun.length, next.length]).toEqual([16, 1]);
});
