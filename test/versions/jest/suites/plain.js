/** No fixtures at all: what Jest does without us stays so, and the cell is what it says it is. */
import { isMainThread } from "node:worker_threads";

const cell = JSON.parse(process.env.MATRIX_CELL);

test("runs in the pool of its cell", () => {
  // A program of Jest's own runs in each worker; process.send is there wherever a parent gave one.
  const inWorker = process.argv[1].includes("jest-worker");
  expect(isMainThread ? (inWorker ? "workers" : "in band") : "workerThreads").toBe(cell.pool);
});

test("runs as a module of its cell", () => {
  expect(typeof module === "undefined" ? "esm" : "cjs").toBe(cell.modules);
});

test("runs on the Node of its cell", () => {
  expect(process.versions.node.split(".")[0]).toBe(cell.node);
});

test("was made by the transpiler of its cell", () => {
  // Called by Jest only, and with one argument in all forms.
  const sample = async ({ sandbox }) => sandbox;
  expect(String(sample).replaceAll(/\s+/g, " ")).toMatch(new RegExp(transpiled.sample));
});

test("a promise", () => Promise.resolve());

test("done", (done) => {
  setTimeout(done, 5);
});

test("done, in a function", function (done) {
  setImmediate(done);
});

test("done that takes a value for no error", (done) => {
  done(undefined);
});

test("done that is called late and by another name", (callback) => {
  process.nextTick(() => Promise.resolve().then(callback));
});

test("more parameters than Jest gives", (done, _other) => {
  expect(_other).toBeUndefined();
  done();
});

test("values of this realm", async () => {
  expect([]).toBeInstanceOf(Array);
  await expect(Promise.reject(new TypeError("x"))).rejects.toThrow(TypeError);
});

test.each([[1, 2, 3]])("rows: %i + %i", (one, two, sum) => {
  expect(one + two).toBe(sum);
});

test.each([[{ sandbox: "own" }, "done"]])("rows with done: %o %s", ({ sandbox }, word, done) => {
  expect(`${sandbox} ${word}`).toBe("own done");
  done();
});
