/** Each way to write the parameter that asks for fixtures. */
const ran = [];

function isSandbox(value) {
  ran.push(value.id);
  expect(typeof value.exec).toBe("function");
}

test("an arrow", async ({ sandbox }) => {
  isSandbox(sandbox);
});

test("an arrow that is not async", ({ sandbox }) => {
  isSandbox(sandbox);
});

test("an arrow that returns a promise", ({ sandbox }) =>
  sandbox.exec(["true"]).then((result) => {
    isSandbox(sandbox);
    expect(result.exitCode).toBe(0);
  }));

test("a function", async function ({ sandbox }) {
  isSandbox(sandbox);
});

test("a function that is not async", function ({ sandbox }) {
  isSandbox(sandbox);
});

async function declared({ sandbox }) {
  isSandbox(sandbox);
}
test("a declared function", declared);

const methods = {
  async method({ sandbox }) {
    isSandbox(sandbox);
  },
};
test("a method", methods.method);

test("another name", async ({ sandbox: box }) => {
  isSandbox(box);
});

test("a default", async ({ sandbox = null }) => {
  isSandbox(sandbox);
});

test("a part of a fixture", async ({ sandbox: { id } }) => {
  expect(typeof id).toBe("string");
});

test("several fixtures", async ({ sandbox, createSandbox, session, run }) => {
  isSandbox(sandbox);
  isSandbox(await createSandbox());
  expect(session.closed).toBe(false);
  expect(run.id).toMatch(/./);
});

test("createSandbox alone", async ({ createSandbox }) => {
  isSandbox(await createSandbox());
});

test("run alone, which makes no sandbox", async ({ run }) => {
  expect(run.id).toMatch(/./);
});

test("session alone, which makes no sandbox", async ({ session }) => {
  expect(session.closed).toBe(false);
});

test("a comment in between", async (/* the box: ({}) => */ { sandbox /* ) */ }) => {
  isSandbox(sandbox);
});

test("a name for all fixtures", async (fixtures) => {
  isSandbox(fixtures.sandbox);
});

test("each had a sandbox of its own", () => {
  expect(ran).toHaveLength(14);
  expect(new Set(ran).size).toBe(14);
});
