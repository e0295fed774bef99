/** `test` from `@jest/globals` instead of the global one. */
import { afterEach, beforeEach, describe, expect, it, test } from "@jest/globals";

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

test.each([["a", "b"]])("rows: %s %s", async (one, two, { sandbox }) => {
  await uses(sandbox, "rows", one, two);
});

it.each`
  one
  ${"a"}
`("tagged template: $one", async ({ one }, { sandbox }) => {
  await uses(sandbox, "template", one);
});

describe("hooks", () => {
  let before;
  beforeEach(async ({ sandbox }) => {
    before = sandbox.id;
  });
  afterEach(async ({ sandbox }) => {
    expect(sandbox.id).toBe(before);
  });
  test("share the test's sandbox", async ({ sandbox }) => {
    expect(sandbox.id).toBe(before);
    expect(await sandbox.exec(["true"])).toSucceed();
  });
});

test("each body ran once", () => {
  expect(ran).toEqual(["test", "it", "done", "neither", "failing", "rows-a-b", "template-a"]);
});
