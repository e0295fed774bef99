/** Concurrent tests: each has a sandbox of its own. */
const ids = [];
const ran = [];

async function uses(sandbox, name) {
  ran.push(name);
  ids.push(sandbox.id);
  expect((await sandbox.exec(["echo", name])).stdout).toBe(`${name}\n`);
}

test.concurrent("with fixtures", async ({ sandbox }) => {
  await uses(sandbox, "test");
});

it.concurrent("with fixtures, beside it", async ({ sandbox, createSandbox }) => {
  await uses(sandbox, "beside");
  await uses(await createSandbox(), "more");
});

test.concurrent("with done", (done) => {
  ran.push("done");
  // Jest 30 passes one, Jest 29 does not.
  done?.();
});

test.concurrent("with neither", async () => {
  ran.push("neither");
});

test.concurrent.each([["a"], ["b"]])("with rows: %s", async (value, { sandbox }) => {
  await uses(sandbox, `row ${value}`);
});

test.concurrent.skip("skipped", async ({ sandbox }) => {
  await uses(sandbox, "skipped");
});

test.concurrent.skip.each([["a"]])("skipped with rows: %s", async (value, { sandbox }) => {
  await uses(sandbox, `skipped ${value}`);
});

test.concurrent.failing("failing", async ({ sandbox }) => {
  await uses(sandbox, "failing");
  throw new Error("as it should");
});

test.concurrent.failing.each([["a"]])("failing with rows: %s", async (value, { sandbox }) => {
  await uses(sandbox, `failing ${value}`);
  throw new Error("as it should");
});

describe("in a describe", () => {
  test.concurrent("with fixtures", async ({ sandbox }) => {
    await uses(sandbox, "within");
  });
});

test("each body ran once, in a sandbox of its own", async ({ sandbox }) => {
  expect(ran.toSorted()).toEqual(
    [
      "test",
      "beside",
      "more",
      "done",
      "neither",
      "row a",
      "row b",
      "failing",
      "failing a",
      "within",
    ].toSorted(),
  );
  expect(new Set([...ids, sandbox.id]).size).toBe(9);
});
