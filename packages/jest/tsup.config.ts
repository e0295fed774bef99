import { defineConfig, type Options } from "tsup";

const shared: Options = {
  target: "node22",
  sourcemap: false,
  splitting: false,
  // By the build script: a clean of tsup's takes declarations that other entries here have written.
  clean: false,
  // Answered by the registry that loads us.
  external: ["@jest/globals"],
};

export default defineConfig([
  {
    ...shared,
    // Loaded by Jest itself, outside the realm of tests: CommonJS, because Jest unwraps the default
    // export of that alone.
    entry: ["src/environment.ts", "src/global-setup.ts", "src/global-teardown.ts"],
    format: ["cjs"],
    dts: true,
  },
  {
    ...shared,
    // Loaded inside the realm of tests and by its module registry, which knows no ES modules by
    // default: nothing may be left to import that has them only.
    entry: {
      "setup-file": "src/setup-file.ts",
      outside: "src/outside.ts",
      realm: "src/realm/realm.ts",
    },
    format: ["cjs"],
    dts: { entry: { "setup-file": "src/setup-file.ts" } },
    noExternal: [/^@tidybox\/client\/errors$/, /^@tidybox\/fixtures\/adapter$/],
  },
  { ...shared, entry: ["src/config.ts"], format: ["esm", "cjs"], dts: true },
  {
    ...shared,
    entry: ["src/index.ts"],
    format: ["esm", "cjs"],
    dts: true,
    shims: true,
    noExternal: [/^@tidybox\/client\/errors$/, /^@tidybox\/fixtures\/adapter$/],
  },
]);
