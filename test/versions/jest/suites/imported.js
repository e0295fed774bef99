/** `test` from `@tidybox/jest`, which needs no guess from the function's text. */
import { it, test } from "@tidybox/jest";

const ran = [];

async function uses(sandbox, ...words) {
  ran.push(words.join("-"));
  expect((await sandbox.exec(["echo", ...words])).stdout).toBe(`${words.join(" ")}\n`);
}

test("with fixtures", async ({ sandbox }) => {
  await uses(sandbox, "test");
});

it("with fixtures, by its other name", async ({ sandbox }) => {
  await uses(sandbox, "it");
});

test("not async", ({ sandbox }) => {
  ran.push("sync");
  expect(typeof sandbox.exec).toBe("function");
});

test("with done", (done) => {
  ran.push("done");
  setTimeout(done, 5);
});

test("with neither", () => {
  ran.push("neither");
});

test.skip("skipped", async ({ sandbox }) => {
  await uses(sandbox, "skipped");
});

test.failing("failing", async ({ sandbox }) => {
  await uses(sandbox, "failing");
  throw new Error("as it should");
});

test.todo("todo");

test.each(["a", "b"])("array of values: %s", async (value, { sandbox }) => {
  await uses(sandbox, "value", value);
});

it.each([
  ["a", "b"],
  ["c", "d"],
])("array of arrays: %s %s", async (one, two, { sandbox }) => {
  await uses(sandbox, "rows", one, two);
});

test.each([{ word: "a" }])("array of objects: $word", async ({ word }, { sandbox }) => {
  await uses(sandbox, "objects", word);
});

test.each`
  one    | two
  ${"a"} | ${"b"}
`("tagged template: $one $two", async ({ one, two }, { sandbox }) => {
  await uses(sandbox, "template", one, two);
});

test.each([["a", "b"]])("rows, not async: %s %s", (one, two, { sandbox }) => {
  ran.push(`sync-${one}-${two}`);
  expect(typeof sandbox.exec).toBe("function");
});

test.each([["a", "b"]])("rows with neither: %s %s", (one, two) => {
  ran.push(`neither-${one}-${two}`);
});

test.skip.each([["a"]])("skipped rows: %s", async (value, { sandbox }) => {
  await uses(sandbox, "skipped", value);
});

describe("test.use", () => {
  test.use({ environment: { GREETING: "hello" } });

  test("sets options for the describe", async ({ sandbox }) => {
    ran.push("use");
    expect((await sandbox.exec(["sh", "-c", "echo $GREETING"])).stdout).toBe("hello\n");
  });
  test("for createSandbox as well", async ({ createSandbox }) => {
    ran.push("use create");
    const sandbox = await createSandbox({ environment: { NAME: "box" } });
    expect((await sandbox.exec(["sh", "-c", "echo $GREETING $NAME"])).stdout).toBe("hello box\n");
  });
  describe("in one within", () => {
    test.use({ environment: { NAME: "inner" } });
    test("adds to those around it", async ({ sandbox }) => {
      ran.push("use inner");
      expect((await sandbox.exec(["sh", "-c", "echo $GREETING $NAME"])).stdout).toBe(
        "hello inner\n",
      );
    });
  });
});

test("test.use reaches no other describe", async ({ sandbox }) => {
  ran.push("no use");
  expect((await sandbox.exec(["sh", "-c", "echo .$GREETING."])).stdout).toBe("..\n");
});

test("each body ran once", () => {
  expect(ran).toEqual([
    "test",
    "it",
    "sync",
    "done",
    "neither",
    "failing",
    "value-a",
    "value-b",
    "rows-a-b",
    "rows-c-d",
    "objects-a",
    "template-a-b",
    "sync-a-b",
    "neither-a-b",
    "use",
    "use create",
    "use inner",
    "no use",
  ]);
});
