import { Code } from "@connectrpc/connect";
import { type Sandbox as SandboxRecord, State } from "@tidybox/protocol";
import { afterAll, expect, test, vi } from "vitest";
import { EndingTimes } from "../testing/ending-times.ts";
import {
  type FaultService,
  notFound,
  refusal,
  sandboxRecord,
  startFaultService,
} from "../testing/fault-service.ts";
import { startScript } from "../testing/script.ts";

const times = new EndingTimes();
afterAll(() => times.print());

/** A service in memory, whose answers can be held back or refused. */
interface Memory extends FaultService {
  readonly alive: Set<string>;
  readonly made: string[];
  /** Grace of each delete, in the order of arrival. */
  readonly graces: number[];
  /** Every create that came in, by its key. */
  readonly keys: string[];
  /** Waits, bounded, until nothing is alive. */
  settled(seconds?: number): Promise<number>;
}

interface Faults {
  /** Before the answer to a create, which has been carried out. `nth` counts from 1. */
  readonly afterCreate?: (nth: number, service: FaultService) => void | Promise<void>;
  readonly beforeDelete?: (nth: number, service: FaultService) => void | Promise<void>;
}

async function startMemory({ afterCreate, beforeDelete }: Faults = {}): Promise<Memory> {
  const byKey = new Map<string, string>();
  const alive = new Set<string>();
  const made: string[] = [];
  const graces: number[] = [];
  const keys: string[] = [];
  const record = (id: string): SandboxRecord => sandboxRecord(State.RUNNING, id);
  const service = await startFaultService({
    createSandbox: async ({ requestId }) => {
      keys.push(requestId);
      const nth = keys.length;
      const id = byKey.get(requestId) ?? `sb-${byKey.size + 1}`;
      if (!byKey.has(requestId)) {
        byKey.set(requestId, id);
        alive.add(id);
        made.push(id);
      }
      await afterCreate?.(nth, service);
      return record(id);
    },
    getSandbox: ({ sandboxId }) => {
      if (!alive.has(sandboxId)) throw notFound();
      return record(sandboxId);
    },
    deleteSandbox: async ({ sandboxId, gracePeriodSeconds }) => {
      graces.push(gracePeriodSeconds);
      await beforeDelete?.(graces.length, service);
      return alive.delete(sandboxId) ? { sandbox: sandboxRecord(State.TERMINATED, sandboxId) } : {};
    },
  });
  return {
    ...service,
    [Symbol.asyncDispose]: service[Symbol.asyncDispose],
    alive,
    made,
    graces,
    keys,
    settled: async (seconds = 20) => {
      await vi.waitFor(() => expect([...alive]).toEqual([]), {
        timeout: seconds * 1000,
        interval: 5,
      });
      return performance.now();
    },
  };
}

const MANY = `await Promise.all(Array.from({ length: 500 }, () => Sandbox.run({ tags })));`;

test.each([
  { name: "process.exit()", end: "process.exit(3);", status: 3 },
  { name: "normal end", end: "", status: 0 },
  { name: "SIGINT", end: "await sleep(60_000);", status: 130 },
])("500 sandboxes at $name: all are stopped", async ({ name, end, status }) => {
  await using service = await startMemory();
  const script = startScript(`${MANY} say("ready"); ${end}`, { ...service, tag: "many" });
  const ready = await script.printed("ready");
  const from = status === 130 ? script.signal("SIGINT") : ready;
  expect(await script.ended).toMatchObject({ status, stderr: "ready\n" });
  times.note(`500 sandboxes, ${name}`, 500, from, await service.settled());
  expect(service.made).toHaveLength(500);
  expect(new Set(service.graces)).toEqual(new Set([0]));
});

test("500 creates under way at process.exit(), with specs of megabytes in all, are found and stopped", async () => {
  let firstRound = true;
  await using service = await startMemory({
    afterCreate: async (nth, { cut }) => {
      // Carried out, all of them, and not one is answered to the first process.
      if (!firstRound) return;
      if (nth === 500) {
        firstRound = false;
        await script.ended;
        cut();
      } else await new Promise((resolve) => setTimeout(resolve, 30_000).unref());
    },
  });
  const script = startScript(
    `
      const environment = { PADDING: "x".repeat(8_000) };
      for (let n = 0; n < 500; n += 1) void Sandbox.run({ tags, environment });
      await sleep(2_000);
      say("ending");
      process.exit(3);
    `,
    { ...service, tag: "many" },
  );
  const from = await script.printed("ending");
  expect(await script.ended).toMatchObject({ status: 3, stderr: "ending\n" });
  await vi.waitFor(() => expect(service.graces.length).toBe(500), { timeout: 20_000 });
  times.note("500 creates under way, process.exit()", 500, from, await service.settled());
  expect(service.made).toHaveLength(500);
  expect(service.keys).toHaveLength(1000);
  expect(new Set(service.keys).size).toBe(500);
});

test.each([
  { name: "SIGTERM", end: `await sleep(60_000);`, status: 143 },
  { name: "process.exit()", end: `process.exit(3);`, status: 3 },
  { name: "uncaught error", end: `throw new Error("boom");`, status: 1 },
])("a create under way at $name makes nothing that stays", async ({ name, end, status }) => {
  let answer = () => {};
  const answered = new Promise<void>((resolve) => (answer = resolve));
  await using service = await startMemory({
    afterCreate: (nth) => (nth === 1 ? answered : undefined),
  });
  const script = startScript(
    `Sandbox.run({ tags }).catch(() => {}); await sleep(700); say("ending"); ${end}`,
    {
      ...service,
      tag: "one",
    },
  );
  const ending = await script.printed("ending");
  const from = status === 143 ? script.signal("SIGTERM") : ending;
  if (status === 143) setTimeout(answer, 200);
  expect((await script.ended).status).toBe(status);
  times.note(`create under way, ${name}`, 1, from, await service.settled());
  answer();
  expect(service.made).toHaveLength(1);
  expect(new Set(service.keys).size).toBe(1);
});

test("a create none of whose answers arrives is found by its key when the process ends", async () => {
  let lost = true;
  await using service = await startMemory({
    afterCreate: (_nth, { cut }) => {
      if (lost) cut();
    },
  });
  const script = startScript(
    `Sandbox.run({ tags }).catch(() => {}); await sleep(700); say("ending"); process.exit(3);`,
    { ...service, tag: "one" },
  );
  const from = await script.printed("ending");
  await script.ended;
  expect(service.keys.length).toBeGreaterThan(1);
  lost = false;
  times.note(
    "create whose answers were all lost, process.exit()",
    1,
    from,
    await service.settled(),
  );
  expect(service.made).toHaveLength(1);
  expect(new Set(service.keys).size).toBe(1);
});

test("a second Ctrl+C ends it at once, and a delete that takes long goes on elsewhere", async () => {
  let first = true;
  await using service = await startMemory({
    beforeDelete: async () => {
      if (first) await new Promise((resolve) => setTimeout(resolve, 30_000).unref());
    },
  });
  const script = startScript(
    `await Sandbox.run({ tags }); await Sandbox.run({ tags }); say("ready"); await sleep(60_000);`,
    {
      ...service,
      tag: "two",
    },
  );
  await script.printed("ready");
  script.signal("SIGINT");
  await vi.waitFor(() => expect(service.graces).toHaveLength(2));
  expect(script.child.exitCode).toBeNull();
  first = false;
  const from = script.signal("SIGINT");
  expect(await script.ended).toMatchObject({ status: 130, signal: null, stderr: "ready\n" });
  times.note("second SIGINT, deletes never answer", 2, from, await service.settled());
});

test("the same Ctrl+C sent twice, by a terminal and by npm, is one", async () => {
  await using service = await startMemory({
    beforeDelete: () => new Promise((resolve) => setTimeout(resolve, 500)),
  });
  const script = startScript(
    `
      await Sandbox.run({ tags });
      const press = () => process.kill(process.pid, "SIGINT");
      // The first one is heard in the next turn, the second one in the turn after it.
      press();
      setImmediate(() => setImmediate(press));
      await sleep(60_000);
    `,
    { ...service, tag: "one" },
  );
  expect(await script.ended).toMatchObject({ status: 130, signal: null, stderr: "" });
  // Answered before the process died, and not handed over.
  expect([...service.alive]).toEqual([]);
  expect(service.graces).toHaveLength(1);
});

test("a slow service: the process waits within its limit, then says so and hands over", async () => {
  let first = true;
  await using service = await startMemory({
    beforeDelete: async () => {
      if (first) await new Promise((resolve) => setTimeout(resolve, 30_000).unref());
    },
  });
  const script = startScript(
    `installCleanupHandlers({ timeoutSeconds: 1, gracefulShutdownSeconds: 2 }); await Sandbox.run({ tags }); say("ready");`,
    { ...service, tag: "one" },
  );
  const from = await script.printed("ready");
  await vi.waitFor(() => expect(service.graces).toHaveLength(1), { timeout: 5_000 });
  first = false;
  const end = await script.ended;
  expect(end.status).toBe(0);
  expect(end.stderr).toMatch(
    /TidyboxWarning: 1 sandbox could not be stopped:\n {2}sb-1: it was not stopped within 1 s/,
  );
  expect(end.stderr).not.toMatch(/secret-key/);
  times.note("deletes never answer, limit of 1 s", 1, from, await service.settled());
  expect(new Set(service.graces)).toEqual(new Set([2]));
});

test("process.exit() of a program whose sandboxes end under it does not change 128 + n", async () => {
  let first = true;
  await using service = await startMemory({
    beforeDelete: async () => {
      if (first) await new Promise((resolve) => setTimeout(resolve, 30_000).unref());
    },
  });
  const script = startScript(
    `await Sandbox.run({ tags }); setTimeout(() => process.exit(1), 500); say("ready");`,
    { ...service, tag: "one" },
  );
  await script.printed("ready");
  const from = script.signal("SIGINT");
  await vi.waitFor(() => expect(service.graces).toHaveLength(1));
  first = false;
  expect(await script.ended).toMatchObject({ status: 130, signal: null, stderr: "ready\n" });
  times.note("SIGINT, process.exit(1) during the stops", 1, from, await service.settled());
});

test("errors of the program after the signal are consequences: not printed, and they end nothing early", async () => {
  await using service = await startMemory({
    beforeDelete: () => new Promise((resolve) => setTimeout(resolve, 800)),
  });
  const script = startScript(
    `await Sandbox.run({ tags });
     setTimeout(() => { throw new Error("thrown"); }, 250);
     setTimeout(() => { Promise.reject(new Error("rejected")); }, 300);
     say("ready"); await sleep(60_000);`,
    { ...service, tag: "one" },
  );
  await script.printed("ready");
  script.signal("SIGINT");
  expect(await script.ended).toMatchObject({ status: 130, signal: null, stderr: "ready\n" });
  expect([...service.alive]).toEqual([]);
});

test("a service that is down: the process ends all the same, soon, and says what may be left", async () => {
  const service = await startMemory();
  const script = startScript(`await Sandbox.run({ tags }); say("ready"); await sleep(500);`, {
    ...service,
    tag: "one",
  });
  await script.printed("ready");
  await service[Symbol.asyncDispose]();
  const end = await script.ended;
  expect(end.status).toBe(0);
  expect(end.stderr).toMatch(/1 sandbox could not be stopped:\n {2}sb-1: /);
});

test("a service that cannot serve when the process exits is asked again", async () => {
  await using service = await startMemory({
    beforeDelete: (nth) => {
      if (nth <= 3) throw refusal(Code.Unavailable);
    },
  });
  const script = startScript(`await Sandbox.run({ tags }); say("ending"); process.exit(3);`, {
    ...service,
    tag: "one",
  });
  const from = await script.printed("ending");
  expect(await script.ended).toMatchObject({ status: 3, stderr: "ending\n" });
  times.note("process.exit(), UNAVAILABLE three times", 1, from, await service.settled());
});
