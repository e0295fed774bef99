/** Stops of real main processes. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { SandboxFailedError } from "../errors/sandbox-errors.ts";
import { stopAll } from "../session/stop-all.ts";
import { type TestService, startTestService } from "../testing/local-service.ts";
import { Sandbox } from "./sandbox.ts";

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
});
afterAll(async () => service?.[Symbol.asyncDispose]());

/** Runs a main process that tells when its traps are set. */
async function started(script: string): Promise<Sandbox> {
  const { connection } = service;
  const sandbox = await Sandbox.run(
    ["sh", "-c", `${script}\ntouch /tmp/set; while :; do sleep 0.1; done`],
    {
      connection,
    },
  );
  await sandbox.exec(["sh", "-c", "until [ -e /tmp/set ]; do sleep 0.05; done"], { check: true });
  return sandbox;
}

test("a main process that takes its time to end is given its grace", async () => {
  const sandbox = await started("trap 'sleep 1; exit 7' TERM");
  expect(await sandbox.stop({ gracefulShutdownSeconds: 30 })).toMatchObject({
    exitCode: 7,
    endedByItself: false,
  });
});

test("one that does not listen is killed after its grace", async () => {
  const sandbox = await started("trap '' TERM");
  const result = await sandbox.stop({ gracefulShutdownSeconds: 1 });
  expect(result).toMatchObject({ endedByItself: false, missing: false });
  expect(result.exitCode).not.toBe(0);
});

test("without a grace it is killed, whatever it would do", async () => {
  const sandbox = await started("trap 'exit 7' TERM");
  const result = await sandbox.stop({ gracefulShutdownSeconds: 0 });
  expect(result.exitCode).not.toBe(7);
});

test("five stops of one sandbox are one, with the grace of the first", async () => {
  const sandbox = await started("trap 'sleep 1; exit 7' TERM");
  const first = sandbox.stop({ gracefulShutdownSeconds: 30 });
  const others = [1, 2, 3, 4].map(() => sandbox.stop({ gracefulShutdownSeconds: 0 }));
  const results = await Promise.all([first, ...others]);
  for (const result of results) expect(result).toMatchObject({ exitCode: 7 });
});

test("one that is stopped by its id while it starts fails its start, and is not left", async () => {
  const { connection } = service;
  const tags = ["stopped-while-starting"];
  const run = Sandbox.run({ connection, tags }).then(
    (sandbox) => sandbox.status(),
    (error: unknown) => error,
  );
  const outcomes = [];
  for (let found = 0; found === 0;) {
    const all = await Sandbox.list({ connection, tags }).toArray();
    found = all.length;
    outcomes.push(...(await stopAll(all, { gracefulShutdownSeconds: 0 })));
  }
  const outcome = await run;
  // Whichever was first: the start did not come to its end, or it did and the sandbox has ended.
  if (outcome instanceof Error) expect(outcome).toBeInstanceOf(SandboxFailedError);
  expect(outcomes).toMatchObject([{ missing: false }]);
  expect(await Sandbox.list({ connection, tags }).toArray()).toEqual([]);
});

test("a start that is aborted leaves nothing, however far it came", async () => {
  const { connection } = service;
  const tags = ["aborted-start"];
  for (const milliseconds of [0, 1, 5, 20, 60]) {
    const giveUp = new AbortController();
    const reason = new Error("enough");
    setTimeout(() => giveUp.abort(reason), milliseconds);
    const outcome = await Sandbox.run({ connection, tags, signal: giveUp.signal }).catch(
      (error: unknown) => error,
    );
    if (outcome instanceof Sandbox) await outcome.stop({ gracefulShutdownSeconds: 0 });
    else expect(outcome).toBe(reason);
  }
  await expect
    .poll(async () => (await Sandbox.list({ connection, tags }).toArray()).length, {
      timeout: 10_000,
    })
    .toBe(0);
});

test("a stop of something that has ended, or is not there any more", async () => {
  const { connection } = service;
  const done = await Sandbox.run(["true"], { connection });
  await done.wait();
  expect(await done.stop()).toMatchObject({ endedByItself: true, exitCode: 0, missing: false });
  const again = await Sandbox.fromId(done.id, { connection });
  expect(await again.stop()).toMatchObject({ endedByItself: true });
  expect(await Sandbox.delete(done.id, { connection })).toBe(true);
});

test("a start that fails throws with the reason, and nothing of it is left", async () => {
  const { connection } = service;
  const tags = ["cannot-start"];
  const run = Sandbox.run({ connection, tags, runtimeClass: "none" });
  await expect(run).rejects.toThrow(/runtime class/);
  expect(await Sandbox.list({ connection, tags }).toArray()).toEqual([]);
});
