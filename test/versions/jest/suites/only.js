/** `only` in all its forms: the others are skipped, and make no sandboxes. */
const ran = [];

async function uses(sandbox, name) {
  ran.push(name);
  expect((await sandbox.exec(["true"])).exitCode).toBe(0);
}

test("a test beside them", async ({ sandbox }) => {
  await uses(sandbox, "beside");
});

describe.each([
  ["test.only", test.only],
  ["it.only", it.only],
  ["fit", fit],
])("%s", (name, declare) => {
  declare("with fixtures", async ({ sandbox }) => {
    await uses(sandbox, name);
  });
  declare("with done", (done) => {
    ran.push(`${name} done`);
    done();
  });
  declare("with neither", () => {
    ran.push(`${name} neither`);
  });
  declare.each([["a", "b"]])("with rows: %s %s", async (one, two, { sandbox }) => {
    await uses(sandbox, `${name} ${one}${two}`);
  });
});

test.only.failing("test.only.failing", async ({ sandbox }) => {
  await uses(sandbox, "failing");
  throw new Error("as it should");
});

describe.only("describe.only", () => {
  test("with fixtures", async ({ sandbox }) => {
    await uses(sandbox, "describe");
  });
});

test.only("each of them ran once, and no other", () => {
  expect(ran).toEqual([
    ...["test.only", "it.only", "fit"].flatMap((name) => [
      name,
      `${name} done`,
      `${name} neither`,
      `${name} ab`,
    ]),
    "failing",
    "describe",
  ]);
});
