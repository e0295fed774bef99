import { constants } from "node:os";
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
  const tag = `threads-${scripts}`;
  const script = startScript(body, { connection, tag });
  return { script, nothingLeft: () => nothingLeft(connection, tag) };
}

/** A worker thread with two sandboxes, and one of the main thread if that loads the client too. */
function withWorker(inWorker: string, inMain: string): string {
  const worker = `
    import(process.env.CLIENT).then(async ({ Sandbox, Session }) => {
      const tags = [process.env.TAG];
      const { parentPort } = process.getBuiltinModule("node:worker_threads");
      await Sandbox.run({ tags });
      await new Session({ defaults: { tags } }).sandbox();
      process._rawDebug("ready");
      parentPort.postMessage("ready");
      ${inWorker}
    });
  `;
  return `
    const { Worker } = await import("node:worker_threads");
    const worker = new Worker(${JSON.stringify(worker)}, { eval: true });
    worker.on("error", (error) => say("worker error: " + error.message));
    worker.on("exit", (code) => say("worker exit " + code));
    await new Promise((resolve) => worker.once("message", resolve));
    ${inMain}
  `;
}

const FOREVER = "setInterval(() => {}, 1000);";

test.each([
  { name: "worker ends by itself", inWorker: "", inMain: "", stderr: /worker exit 0/, status: 0 },
  {
    name: "worker calls process.exit()",
    inWorker: "process.exit(2);",
    inMain: "",
    stderr: /worker exit 2/,
    status: 0,
  },
  {
    name: "worker throws",
    inWorker: `setTimeout(() => { throw new Error("boom"); });`,
    inMain: "",
    stderr: /worker error: boom/,
    status: 0,
  },
  {
    name: "worker is terminated",
    inWorker: FOREVER,
    inMain: "await worker.terminate();",
    stderr: /worker exit 1/,
    status: 0,
  },
  {
    name: "main thread calls process.exit()",
    inWorker: FOREVER,
    inMain: "process.exit(6);",
    stderr: /ready/,
    status: 6,
  },
  {
    name: "main thread throws",
    inWorker: FOREVER,
    inMain: `throw new Error("main");`,
    stderr: /Error: main/,
    status: 1,
  },
])("$name: its sandboxes end", async ({ name, inWorker, inMain, stderr, status }) => {
  const run = start(withWorker(inWorker, inMain));
  const from = await run.script.printed("ready");
  const end = await run.script.ended;
  expect(end.stderr).toMatch(stderr);
  expect(end.status).toBe(status);
  times.note(name, 2, from, await run.nothingLeft());
});

test.each([
  {
    name: "SIGINT, main thread without sandboxes",
    inMain: "",
    signal: "SIGINT",
    status: 130,
    sandboxes: 2,
  },
  {
    name: "SIGINT, main thread with one",
    inMain: "await Sandbox.run({ tags });",
    signal: "SIGINT",
    status: 130,
    sandboxes: 3,
  },
  {
    name: "SIGKILL of a process with a worker",
    inMain: "",
    signal: "SIGKILL",
    status: 137,
    sandboxes: 2,
  },
] as const)(
  "$name: the worker's sandboxes end too",
  async ({ name, inMain, signal, status, sandboxes }) => {
    const run = start(withWorker(FOREVER, `${inMain} say("all there");`));
    await run.script.printed("all there");
    const from = run.script.signal(signal, "group");
    expect(await run.script.ended).toMatchObject({ status });
    times.note(name, sandboxes, from, await run.nothingLeft());
  },
);

test("the end of a worker leaves the main thread's sandboxes alone", async () => {
  const run = start(
    withWorker(
      "process.exit(0);",
      `
      const own = await Sandbox.run({ tags });
      await sleep(1_000);
      say((await own.exec(["echo", "alive"])).stdout.trim());
    `,
    ),
  );
  const end = await run.script.ended;
  expect(end.status).toBe(0);
  expect(end.stderr).toMatch(/alive\n$/);
  await run.nothingLeft();
});

/** Parent and child each with their own; the child's is told over IPC. */
function withChild(inChild: string, inParent: string): string {
  const child = `
    import(process.env.CLIENT).then(async ({ Sandbox }) => {
      await Sandbox.run({ tags: [process.env.TAG] });
      process.send("ready");
      ${inChild}
    });
  `;
  return `
    const { fork } = await import("node:child_process");
    const child = fork("-", { execArgv: ["--eval", ${JSON.stringify(child)}], stdio: "inherit" });
    child.on("exit", (code, signal) => say("child " + (signal ?? code)));
    await Sandbox.run({ tags });
    await new Promise((resolve) => child.once("message", resolve));
    say("ready");
    ${inParent}
  `;
}

test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
  "%s to the group of a process and its forked child: each stops its own",
  async (signal) => {
    const run = start(withChild(FOREVER, "await sleep(60_000);"));
    await run.script.printed("ready");
    const from = run.script.signal(signal, "group");
    expect(await run.script.ended).toMatchObject({ status: 128 + constants.signals[signal] });
    times.note(`${signal} to the group, forked child`, 2, from, await run.nothingLeft());
  },
);

test("a forked child that its parent kills stops its own and not its parent's", async () => {
  const run = start(
    withChild(
      FOREVER,
      `
      child.kill();
      await new Promise((resolve) => child.once("exit", resolve));
      say((await Sandbox.list({ tags }).toArray()).length + " left");
    `,
    ),
  );
  const end = await run.script.ended;
  expect(end.stderr).toBe("ready\nchild 143\n1 left\n");
  expect(end.status).toBe(0);
  await run.nothingLeft();
});

const IN_CLUSTER = `
  import(process.env.CLIENT).then(async ({ Sandbox }) => {
    await Sandbox.run({ tags: [process.env.TAG] });
    process.send("ready");
  });
`;

test("a cluster's workers stop theirs when the primary disconnects them", async () => {
  const run = start(`
    const cluster = (await import("node:cluster")).default;
    const code = ${JSON.stringify(IN_CLUSTER)};
    cluster.setupPrimary({ exec: "-", args: [], execArgv: ["--eval", code] });
    const workers = [cluster.fork(), cluster.fork()];
    for (const worker of workers) worker.on("exit", (...how) => say("worker " + how));
    await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once("message", resolve))));
    say("ready");
    await new Promise((resolve) => cluster.disconnect(resolve));
    process.exit(0);
  `);
  const from = await run.script.printed("ready");
  expect(await run.script.ended).toMatchObject({ status: 0 });
  times.note("cluster disconnected", 2, from, await run.nothingLeft());
});
