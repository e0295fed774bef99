import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Sandbox } from "../sandbox/sandbox.ts";
import { stopAll } from "../session/stop-all.ts";
import { EndingTimes } from "../testing/ending-times.ts";
import { type TestService, startTestService } from "../testing/local-service.ts";
import { nothingLeft, startScript } from "../testing/script.ts";

let service: TestService;
const times = new EndingTimes();
let scripts = 0;

beforeAll(async () => {
  service = await startTestService();
});
afterAll(async () => {
  times.print();
  await service?.[Symbol.asyncDispose]();
});

/** Three sandboxes: one alone, one of a session, one that a session has adopted. */
const THREE = `
  const alone = await Sandbox.run({ tags });
  const session = new Session({ defaults: { tags } });
  await session.sandbox();
  session.adopt(await Sandbox.fromId((await Sandbox.run({ tags })).id));
`;

function start(body: string, env: Readonly<Record<string, string>> = {}) {
  scripts += 1;
  const { connection } = service;
  const tag = `endings-${scripts}`;
  const script = startScript(body, { connection, tag, env });
  return { script, nothingLeft: () => nothingLeft(connection, tag) };
}

describe("ends by itself", () => {
  test.each([
    { name: "normal end", body: "", status: 0, stderr: /^ending\n$/ },
    {
      name: "normal end, exitCode set",
      body: "process.exitCode = 5;",
      status: 5,
      stderr: /^ending\n$/,
    },
    {
      name: "process.exit() 50 calls deep",
      body: "const deep = (n) => n === 0 ? process.exit(7) : deep(n - 1); deep(50);",
      status: 7,
      stderr: /^ending\n$/,
    },
    {
      name: "process.exit() in a timer, a promise under way",
      body: `setTimeout(() => process.exit(3), 30); await alone.exec(["sleep", "60"]);`,
      status: 3,
      stderr: /^ending\n$/,
    },
    {
      name: "uncaught error",
      body: `throw new Error("boom");`,
      status: 1,
      stderr: /Error: boom\n/,
    },
    {
      name: "unhandled rejection",
      body: `Promise.reject(new Error("boom")); await sleep(60_000);`,
      status: 1,
      stderr: /Error: boom\n/,
    },
    {
      name: "unhandled rejection, mode warn",
      body: `Promise.reject(new Error("boom"));`,
      options: "--unhandled-rejections=warn",
      status: 0,
      stderr: /UnhandledPromiseRejectionWarning: Error: boom/,
    },
    {
      name: "top-level await that never settles",
      body: `await new Promise(() => {});`,
      status: 13,
      stderr: /unsettled top-level await/,
    },
  ])(
    "$name: nothing is left, and the status is $status",
    async ({ name, body, options, status, stderr }) => {
      const run = start(`${THREE} say("ending"); ${body}`, { NODE_OPTIONS: options ?? "" });
      const from = await run.script.printed("ending");
      const end = await run.script.ended;
      expect(end.stderr).toMatch(stderr);
      expect(end).toMatchObject({ status, signal: null, stdout: "" });
      times.note(name, 3, from, await run.nothingLeft());
    },
  );
});

describe("ended by a signal", () => {
  test.each([
    { signal: "SIGINT", status: 130 },
    { signal: "SIGTERM", status: 143 },
    { signal: "SIGHUP", status: 129 },
  ] as const)(
    "$signal: nothing is left when the process has ended for it, with status $status",
    async ({ signal, status }) => {
      const run = start(`${THREE} say("ready"); await alone.exec(["sleep", "60"]);`);
      await run.script.printed("ready");
      const from = run.script.signal(signal, "group");
      const end = await run.script.ended;
      expect(end).toEqual({ status, signal: null, stdout: "", stderr: "ready\n" });
      times.note(signal, 3, from, await run.nothingLeft());
    },
  );

  test("what the program makes of its closed sandboxes changes neither the status nor the cleanup", async () => {
    const run = start(`${THREE}
      const others = [1, 2, 3].map((n) => alone.exec(["sleep", "60"]).catch((error) => {
        if (n === 1) process.exit(1);
        throw error;
      }));
      say("ready");
      await Promise.all(others);
    `);
    await run.script.printed("ready");
    const from = run.script.signal("SIGINT");
    const end = await run.script.ended;
    expect(end.status).toBe(130);
    expect(end.stderr).toBe("ready\n");
    times.note("SIGINT, its own catch calls process.exit(1)", 3, from, await run.nothingLeft());
  });

  test("a program without live sandboxes ends for it at once", async () => {
    const run =
      start(`${THREE} await alone.stop(); await session.close(); await stopAll(await Sandbox.list({ tags }).toArray());
      say("ready"); await sleep(60_000);`);
    await run.script.printed("ready");
    run.script.signal("SIGTERM");
    expect(await run.script.ended).toMatchObject({
      status: 143,
      signal: null,
      stderr: "ready\n",
    });
  });

  test("SIGKILL leaves them to their lifetime: no code of ours runs", async () => {
    const run = start(
      `await Sandbox.run({ tags, maxLifetimeSeconds: 3 }); say("ready"); await sleep(60_000);`,
    );
    await run.script.printed("ready");
    const from = run.script.signal("SIGKILL");
    expect(await run.script.ended).toMatchObject({ status: 137 });
    times.note("SIGKILL, a lifetime of 3 s", 1, from, await run.nothingLeft());
  });
});

test("a connection that the program has closed is opened again for what was left behind it", async () => {
  const run = start(`
    using connection = new Connection();
    await Promise.all([1, 2, 3].map(() => Sandbox.run({ tags, connection })));
    connection.close();
  `);
  expect(await run.script.ended).toMatchObject({ status: 0, stderr: "" });
  await run.nothingLeft();
});

describe("what is whose", () => {
  test("sandboxes found by id or in a listing go on, unless a session adopts them", async () => {
    const { connection } = service;
    const tag = "not-ours";
    const run = (body: string) => startScript(body, { connection, tag }).ended;
    await run(`removeCleanupHandlers(); for (const _ of [1, 2]) await Sandbox.run({ tags });`);
    const found = await run(`
      await Sandbox.run({ tags: ["ours"] });
      const [first] = await Sandbox.list({ tags }).toArray();
      const session = new Session();
      await session.fromId(first.id, { adopt: false });
      say((await Sandbox.fromId(first.id)).state);
    `);
    expect(found).toMatchObject({ status: 0, stderr: "running\n" });
    await nothingLeft(connection, "ours");
    expect(await Sandbox.list({ connection, tags: [tag] }).toArray()).toHaveLength(2);
    await run(`await new Session().list({ tags, adopt: true }).toArray();`);
    await nothingLeft(connection, tag);
  });

  test("what was made while the handlers were removed is stopped when they are there again", async () => {
    const run = start(`
      removeCleanupHandlers();
      removeCleanupHandlers();
      await Sandbox.run({ tags });
      installCleanupHandlers();
    `);
    expect(await run.script.ended).toMatchObject({ status: 0, stderr: "" });
    await run.nothingLeft();
  });

  test("without handlers nothing is stopped, and none of ours is left at the process", async () => {
    const { connection } = service;
    const tag = "removed";
    const counts = `["beforeExit", "exit", "SIGINT", "SIGTERM", "SIGHUP"].map((event) => process.listenerCount(event))`;
    const { ended } = startScript(
      `
        const before = ${counts};
        await Sandbox.run({ tags });
        const installed = ${counts};
        removeCleanupHandlers();
        say(JSON.stringify({ before, installed, after: ${counts} }));
      `,
      { connection, tag },
    );
    const { before, installed, after } = JSON.parse((await ended).stderr) as Record<
      string,
      number[]
    >;
    expect(before).toEqual([0, 0, 0, 0, 0]);
    expect(installed).toEqual([1, 1, 1, 1, 1]);
    expect(after).toEqual(before);
    const left = await Sandbox.list({ connection, tags: [tag] }).toArray();
    expect(left).toHaveLength(1);
    await stopAll(left, { gracefulShutdownSeconds: 0 });
  });
});
