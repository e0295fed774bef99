import { expect, test } from "vitest";
import { LogReaders } from "./log-readers.ts";

/** Whether the writer has gone on by the next turn of the event loop. */
async function isFree(passed: Promise<void>): Promise<boolean> {
  const blocked = new Promise<false>((resolve) => setTimeout(resolve, 20, false));
  return Promise.race([passed.then(() => true), blocked]);
}

test("a writer waits for who is behind and moves, until it has caught up or left", async () => {
  const readers = new LogReaders();
  expect(await isFree(readers.passed(100))).toBe(true);
  const reader = readers.join(0);
  const leaving = readers.join(0);
  const passed = readers.passed(100);
  expect(await isFree(passed)).toBe(false);
  reader.moveTo(99);
  leaving.leave();
  expect(await isFree(passed)).toBe(false);
  reader.moveTo(100);
  await passed;
});

test("a reader that has stopped is waited for once, until it moves again", async () => {
  const readers = new LogReaders();
  const reader = readers.join(0);
  await readers.passed(100);
  expect(await isFree(readers.passed(200))).toBe(true);
  reader.moveTo(10);
  const passed = readers.passed(200);
  reader.moveTo(200);
  await passed;
  reader.leave();
});
