import { defineConfig, type Options } from "tsup";

const options: Options = {
  format: ["esm"],
  target: "node22",
  sourcemap: false,
};

export default defineConfig([
  {
    ...options,
    entry: ["src/index.ts", "src/spawn-helper.ts", "src/probe-main.ts"],
    dts: true,
    clean: ["dist/*", "!dist/terminal-main.js"],
    splitting: true,
  },
  // In one piece: it is copied where the account of the service could not read it.
  { ...options, entry: ["src/terminal-main.ts"], splitting: false },
]);
