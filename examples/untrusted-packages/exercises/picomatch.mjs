import picomatch from "picomatch";

const isTest = picomatch("src/**/*.{test,spec}.ts", { ignore: "**/fixtures/**" });
export default ["src/a.test.ts", "src/a/b/c.spec.ts", "src/a.ts", "src/fixtures/x.test.ts"].map(
  (path) => isTest(path),
);
