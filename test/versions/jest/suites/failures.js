/** Tests that fail, and must fail with their own error, at their own place. */
test("an assertion", async ({ sandbox }) => {
  expect((await sandbox.exec(["echo", "hi"])).stdout).toBe("something else\n");
});

test("an assertion that is not awaited for", ({ sandbox }) => {
  expect(sandbox.id).toBe("something else");
});

test("a command that fails", async ({ sandbox }) => {
  expect(await sandbox.exec(["sh", "-c", "echo shown; exit 3"])).toSucceed();
});

test("an exit code", async ({ sandbox }) => {
  expect(await sandbox.exec(["true"])).toExitWith(4);
});

test("a print", async ({ sandbox }) => {
  expect(await sandbox.exec(["echo", "printed"])).toPrint("awaited");
});

test("a file", async ({ sandbox }) => {
  await expect(sandbox).toHaveFile("/workspace/missing");
});

test("a timeout", async ({ sandbox }) => {
  await sandbox.exec(["sleep", "20"]);
}, 1_000);

test("done with an error", (done) => {
  done(new Error("given to done"));
});

test("done that is not called", (_done) => {}, 200);

test.each([["a"]])(
  "a row that takes too long: %s",
  async (_value, { sandbox }) => {
    await sandbox.exec(["sleep", "20"]);
  },
  1_000,
);

test("done of an async test", async (done) => {
  done();
}, 5_000);

test.failing("failing that passes", async ({ sandbox }) => {
  expect((await sandbox.exec(["true"])).exitCode).toBe(0);
});

test.each([
  ["good", 0],
  ["bad", 1],
])("a row: %s", async (_name, code, { sandbox }) => {
  expect(await sandbox.exec(["sh", "-c", `exit ${code}`])).toSucceed();
});

describe("a hook", () => {
  beforeEach(async ({ sandbox }) => {
    expect(await sandbox.exec(["sh", "-c", "echo by the hook; exit 5"])).toSucceed();
  });
  test("that fails", async ({ sandbox }) => {
    await sandbox.exec(["true"]);
  });
});

describe("a hook after", () => {
  afterEach(async ({ sandbox }) => {
    throw new Error(`thrown after ${typeof sandbox.id}`);
  });
  test("that fails", async ({ sandbox }) => {
    expect(sandbox.id).toBe("its own error");
  });
});

describe("a hook around all tests", () => {
  beforeAll(async ({ sandbox }) => {
    await sandbox.exec(["true"]);
  });
  test("that asks for a sandbox", async () => {});
});

describe("a name that is no fixture", () => {
  test("of an async test", async ({ sandbx }) => {
    await sandbx.exec(["true"]);
  }, 5_000);
});

test("and a test after them passes", async ({ sandbox }) => {
  expect((await sandbox.exec(["true"])).exitCode).toBe(0);
});
