/** Hooks: `{ sandbox }` there is the sandbox of the running test. */
describe("hooks that ask for the sandbox", () => {
  const seen = [];
  let before;
  beforeEach(async ({ sandbox }) => {
    before = sandbox;
    seen.push(sandbox.id);
    await sandbox.writeFile("/workspace/by-hook", "hello");
  });
  afterEach(async ({ sandbox }) => {
    expect(sandbox.id).toBe(before.id);
    expect((await sandbox.exec(["true"])).exitCode).toBe(0);
  });

  test("share it with the test", async ({ sandbox }) => {
    expect(sandbox.id).toBe(before.id);
    await expect(sandbox).toHaveFile("/workspace/by-hook", "hello");
  });
  test("share it with a test that is not async", ({ sandbox }) => {
    expect(sandbox.id).toBe(before.id);
  });
  test("have it beside a test with done", (done) => {
    before.exec(["true"]).then(() => done(), done);
  });
  test("have it beside a test with neither", async () => {
    expect((await before.exec(["true"])).exitCode).toBe(0);
  });
  test.each([["a"], ["b"]])("share it with rows: %s", async (_value, { sandbox }) => {
    expect(sandbox.id).toBe(before.id);
  });
  test.skip("are not called for a skipped test", async ({ sandbox }) => {
    seen.push(sandbox.id);
  });
  test("had another one for each test", () => {
    expect(seen).toHaveLength(7);
    expect(new Set(seen).size).toBe(7);
  });
});

describe("hooks in a describe within", () => {
  const order = [];
  beforeEach(({ sandbox }) => {
    order.push(["outer", sandbox.id]);
  });
  describe("one", () => {
    beforeEach(async function ({ sandbox }) {
      order.push(["inner", sandbox.id]);
    });
    afterEach(async ({ sandbox, createSandbox }) => {
      order.push(["after", sandbox.id]);
      expect((await createSandbox()).id).not.toBe(sandbox.id);
    });
    test("see the same sandbox", async ({ sandbox }) => {
      order.push(["test", sandbox.id]);
    });
  });
  test("ran in Jest's order", async ({ sandbox }) => {
    expect(order.map(([name]) => name)).toEqual(["outer", "inner", "test", "after", "outer"]);
    expect(new Set(order.slice(0, 4).map(([, id]) => id)).size).toBe(1);
    expect(order[4][1]).toBe(sandbox.id);
  });
});

describe("hooks without fixtures", () => {
  const order = [];
  beforeAll((done) => {
    order.push("all");
    done();
  });
  beforeEach((done) => {
    order.push("done");
    setTimeout(done, 5);
  });
  beforeEach(async () => {
    order.push("async");
  });
  afterEach(() => {
    order.push("after");
  });
  test("stay as they are", async ({ sandbox }) => {
    order.push((await sandbox.exec(["echo", "-n", "test"])).stdout);
  });
  test("ran in Jest's order", () => {
    expect(order).toEqual(["all", "done", "async", "test", "after", "done", "async"]);
  });
});

describe("hooks around all tests", () => {
  let made;
  let runId;
  beforeAll(async ({ session, run }) => {
    runId = run.id;
    made = await session.sandbox();
  });
  afterAll(async ({ session }) => {
    expect(session.closed).toBe(false);
    expect((await made.exec(["true"])).exitCode).toBe(0);
    await made.stop();
  });
  test("have the session and the run", async ({ run, sandbox }) => {
    expect(runId).toBe(run.id);
    expect(made.id).not.toBe(sandbox.id);
  });
  test("made a sandbox that is there for all tests", async () => {
    expect((await made.exec(["echo", "hi"])).stdout).toBe("hi\n");
  });
});

describe("this", () => {
  beforeEach(function () {
    this.by = "hook";
  });
  beforeEach(async function ({ sandbox }) {
    this.id = sandbox.id;
  });
  test("is Jest's own, shared by hooks and test", async function ({ sandbox }) {
    expect(this.by).toBe("hook");
    expect(this.id).toBe(sandbox.id);
  });
});
