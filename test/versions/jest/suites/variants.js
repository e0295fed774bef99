/** The global `test` and its variants outside of tables, with fixtures, with `done`, with neither. */
const ran = [];

async function uses(sandbox, name) {
  ran.push(name);
  expect((await sandbox.exec(["echo", name])).stdout).toBe(`${name}\n`);
}

describe.each([
  ["test", test],
  ["it", it],
])("%s", (name, declare) => {
  declare("with fixtures", async ({ sandbox }) => {
    await uses(sandbox, `${name} with fixtures`);
  });
  declare("with fixtures, as a function", async function ({ sandbox, createSandbox }) {
    await uses(sandbox, `${name} as a function`);
    expect((await createSandbox()).id).not.toBe(sandbox.id);
  });
  declare("with done", (done) => {
    ran.push(`${name} with done`);
    setTimeout(done, 5);
  });
  declare("with neither", () => {
    ran.push(`${name} with neither`);
  });
  declare("with neither, async", async () => {
    await Promise.resolve();
    ran.push(`${name} with neither, async`);
  });
  declare(
    "with a timeout of its own",
    async ({ sandbox }) => {
      await uses(sandbox, `${name} with a timeout`);
    },
    30_000,
  );
});

describe.each([
  ["test.failing", test.failing],
  ["it.failing", it.failing],
])("%s", (name, declare) => {
  declare("with fixtures", async ({ sandbox }) => {
    await uses(sandbox, `${name} with fixtures`);
    throw new Error("as it should");
  });
  declare("with done", (done) => {
    ran.push(`${name} with done`);
    done(new Error("as it should"));
  });
  declare("with neither", () => {
    ran.push(`${name} with neither`);
    throw new Error("as it should");
  });
});

describe.each([
  ["test.skip", test.skip],
  ["it.skip", it.skip],
  ["xit", xit],
  ["xtest", xtest],
  ["test.skip.failing", test.skip.failing],
])("%s", (name, declare) => {
  declare("with fixtures", async ({ sandbox }) => {
    await uses(sandbox, `${name} with fixtures`);
  });
  declare("with done", (done) => {
    ran.push(`${name} with done`);
    done();
  });
  declare("with neither", () => {
    ran.push(`${name} with neither`);
  });
});

describe.skip("describe.skip", () => {
  test("with fixtures", async ({ sandbox }) => {
    await uses(sandbox, "describe.skip");
  });
});

test.todo("test.todo");
it.todo("it.todo");

test("each body ran once, and no other", () => {
  expect(ran).toEqual([
    ...["test", "it"].flatMap((name) => [
      `${name} with fixtures`,
      `${name} as a function`,
      `${name} with done`,
      `${name} with neither`,
      `${name} with neither, async`,
      `${name} with a timeout`,
    ]),
    ...["test.failing", "it.failing"].flatMap((name) => [
      `${name} with fixtures`,
      `${name} with done`,
      `${name} with neither`,
    ]),
  ]);
});
