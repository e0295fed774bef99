/** `each` with every kind of table: the case's arguments first, the fixtures last. */
const ran = [];

async function uses(sandbox, ...row) {
  ran.push(row.join("-"));
  expect((await sandbox.exec(["echo", ...row])).stdout).toBe(`${row.join(" ")}\n`);
}

test.each(["a", "b"])("array of values: %s", async (value, { sandbox }) => {
  await uses(sandbox, "value", value);
});

it.each([
  ["a", "b"],
  ["c", "d"],
])("array of arrays: %s %s", async (one, two, { sandbox }) => {
  await uses(sandbox, "rows", one, two);
});

test.each([{ word: "a" }, { word: "b" }])(
  "array of objects: $word",
  async ({ word }, { sandbox }) => {
    await uses(sandbox, "objects", word);
  },
);

it.each`
  one    | two
  ${"a"} | ${"b"}
  ${"c"} | ${"d"}
`("tagged template: $one $two", async ({ one, two }, { sandbox }) => {
  await uses(sandbox, "template", one, two);
});

test.each([["a", "b"]])("a function: %s %s", async function (one, two, { createSandbox }) {
  await uses(await createSandbox(), "function", one, two);
});

test.each([["a", "b"]])("not async: %s %s", (one, two, { sandbox }) => {
  ran.push(`sync-${one}-${two}`);
  expect(typeof sandbox.exec).toBe("function");
});

it.each([["a", "b"]])("with done: %s %s", (one, two, done) => {
  ran.push(`done-${one}-${two}`);
  setTimeout(done, 5);
});

it.each`
  one
  ${"a"}
`("tagged template with done: $one", ({ one }, done) => {
  ran.push(`template-done-${one}`);
  setTimeout(done, 5);
});

test.each([["a", "b"]])("with neither: %s %s", (one, two) => {
  ran.push(`neither-${one}-${two}`);
});

test.each([["a", "b"]])("with less than its row: %s %s", async (one) => {
  ran.push(`less-${one}`);
});

test.each([{ sandbox: "own" }])("a row that has a sandbox: $sandbox", async ({ sandbox }) => {
  ran.push(`row-${sandbox}`);
});

test.failing.each([["a"]])("failing: %s", async (value, { sandbox }) => {
  await uses(sandbox, "failing", value);
  throw new Error("as it should");
});

test.skip.each([["a"]])("skipped: %s", async (value, { sandbox }) => {
  await uses(sandbox, "skipped", value);
});

xtest.each([["a"]])("xtest: %s", async (value, { sandbox }) => {
  await uses(sandbox, "xtest", value);
});

xit.each([["a"]])("xit with done: %s", (_value, done) => {
  ran.push("xit");
  done();
});

describe.each([["one"], ["two"]])("describe.each: %s", (value) => {
  test("with fixtures", async ({ sandbox }) => {
    await uses(sandbox, "describe", value);
  });
});

test("each row's body ran once with its own row", () => {
  expect(ran).toEqual([
    "value-a",
    "value-b",
    "rows-a-b",
    "rows-c-d",
    "objects-a",
    "objects-b",
    "template-a-b",
    "template-c-d",
    "function-a-b",
    "sync-a-b",
    "done-a-b",
    "template-done-a",
    "neither-a-b",
    "less-a",
    "row-own",
    "failing-a",
    "describe-one",
    "describe-two",
  ]);
});
