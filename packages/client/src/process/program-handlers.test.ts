import { afterAll, beforeAll, expect, test } from "vitest";
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

function start(body: string) {
  scripts += 1;
  const { connection } = service;
  const tag = `handlers-${scripts}`;
  const script = startScript(body, { connection, tag });
  return { script, nothingLeft: () => nothingLeft(connection, tag) };
}

const TWO = `const first = await Sandbox.run({ tags }); await Sandbox.run({ tags });`;

test("a program's own handler decides how the process ends; sandboxes stop beside it", async () => {
  const run = start(`
    process.on("SIGINT", async () => { await sleep(300); process.exit(42); });
    ${TWO}
    say("ready"); await sleep(60_000);
  `);
  await run.script.printed("ready");
  const from = run.script.signal("SIGINT");
  times.note("SIGINT, its handler exits after 300 ms", 2, from, await run.nothingLeft());
  expect(await run.script.ended).toMatchObject({ status: 42, stderr: "ready\n" });
});

test.each(["on", "once", "prependOnceListener"])(
  "a handler added with %s after the first sandbox that exits at once hands the sandboxes over",
  async (method) => {
    const run = start(
      `${TWO} process.${method}("SIGTERM", () => process.exit(9)); say("ready"); await sleep(60_000);`,
    );
    await run.script.printed("ready");
    const from = run.script.signal("SIGTERM");
    expect(await run.script.ended).toMatchObject({ status: 9, stderr: "ready\n" });
    times.note(`SIGTERM, its ${method} handler exits at once`, 2, from, await run.nothingLeft());
  },
);

test("a handler that ignores the signal keeps the process, which goes on without sandboxes", async () => {
  const run = start(`
    process.on("SIGINT", () => say("not now"));
    ${TWO}
    say("ready");
    // Killed with its sandbox, or cut off from it: whichever is told first.
    await first.exec(["sleep", "60"]).catch(() => {});
    await sleep(200);
    say("done");
  `);
  await run.script.printed("ready");
  const from = run.script.signal("SIGINT");
  times.note("SIGINT, its handler ignores it", 2, from, await run.nothingLeft());
  const end = await run.script.ended;
  expect(end).toMatchObject({ status: 0, stderr: "ready\nnot now\ndone\n" });
});

test("a handler that cleans up by itself and raises the signal again meets stopped sandboxes", async () => {
  const run = start(`
    const session = new Session({ defaults: { tags } });
    await session.sandbox();
    process.once("SIGTERM", async () => {
      await session.close();
      say("closed");
      process.kill(process.pid, "SIGTERM");
    });
    say("ready"); await sleep(60_000);
  `);
  await run.script.printed("ready");
  run.script.signal("SIGTERM");
  expect(await run.script.ended).toMatchObject({
    status: 143,
    signal: null,
    stderr: "ready\nclosed\n",
  });
  await run.nothingLeft();
});

test("a handler that throws is an uncaught error as ever, and keeps nothing from being stopped", async () => {
  const run = start(`
    process.on("SIGINT", () => { throw new Error("handler is broken"); });
    ${TWO}
    say("ready"); await sleep(60_000);
  `);
  await run.script.printed("ready");
  const from = run.script.signal("SIGINT");
  const end = await run.script.ended;
  expect(end.status).toBe(1);
  expect(end.stderr).toMatch(/Error: handler is broken/);
  times.note("SIGINT, its handler throws", 2, from, await run.nothingLeft());
});

test.each(["exit", "beforeExit"])(
  "a %s listener that throws keeps nothing from being stopped",
  async (event) => {
    const run = start(
      `process.on("${event}", () => { throw new Error("listener is broken"); }); ${TWO}`,
    );
    const end = await run.script.ended;
    expect(end.stderr).toMatch(/Error: listener is broken/);
    expect(end.status).not.toBe(0);
    await run.nothingLeft();
  },
);

test("an uncaughtException handler keeps the process and its sandboxes", async () => {
  const run = start(`
    process.on("uncaughtException", (error) => say("caught " + error.message));
    ${TWO}
    setTimeout(() => { throw new Error("boom"); }, 10);
    await sleep(100);
    say((await first.exec(["echo", "alive"])).stdout.trim());
  `);
  expect(await run.script.ended).toMatchObject({ status: 0, stderr: "caught boom\nalive\n" });
  await run.nothingLeft();
});

test("signal-exit, below many tools, does not count as a decision: its callbacks run, the process ends", async () => {
  const run = start(`
    const { createRequire } = await import("node:module");
    const viaExeca = createRequire(createRequire(process.env.CLIENT).resolve("execa"));
    const { onExit } = viaExeca("signal-exit");
    onExit((code) => say("signal-exit saw " + code));
    ${TWO}
    say("ready"); await sleep(60_000);
  `);
  await run.script.printed("ready");
  run.script.signal("SIGINT");
  const end = await run.script.ended;
  expect(end).toMatchObject({ status: 130, stderr: "ready\nsignal-exit saw 130\n" });
  await run.nothingLeft();
});

test.each(["process.exit(4)", "await sleep(60_000)"])(
  "closed stdout and stderr do not matter at the end (%s)",
  async (ending) => {
    const run = start(`
      process.stdout.on("error", () => {});
      process.stderr.on("error", () => {});
      ${TWO}
      say("ready");
      await sleep(300);
      console.log("into nowhere"); console.error("into nowhere");
      ${ending};
    `);
    await run.script.printed("ready");
    run.script.child.stdout?.destroy();
    run.script.child.stderr?.destroy();
    const signalled = ending.startsWith("await");
    if (signalled) run.script.signal("SIGINT");
    expect(await run.script.ended).toMatchObject({ status: signalled ? 130 : 4 });
    await run.nothingLeft();
  },
);

test("no warning of too many listeners comes of ours, and the limit is as before when they are gone", async () => {
  const run = start(`
    for (let n = 0; n < 10; n += 1) for (const event of ["exit", "beforeExit", "SIGHUP"]) process.on(event, () => {});
    await Sandbox.run({ tags });
    installCleanupHandlers();
    installCleanupHandlers({ timeoutSeconds: 5 });
    await sleep(20);
    say(process.getMaxListeners());
    removeCleanupHandlers();
    say(process.getMaxListeners());
    installCleanupHandlers();
  `);
  expect(await run.script.ended).toMatchObject({ status: 0, stderr: "11\n10\n" });
  await run.nothingLeft();
});

test("nothing is there before the first sandbox, and a session or a listing adds nothing", async () => {
  const run = start(`
    const count = () => ["beforeExit", "exit", "SIGINT"].map((event) => process.listenerCount(event)).join();
    say(count());
    const session = new Session();
    await session.list({ tags }).toArray();
    say(count());
    await session.close();
  `);
  expect(await run.script.ended).toMatchObject({ status: 0, stderr: "0,0,0\n0,0,0\n" });
});
