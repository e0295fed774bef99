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
    clean: ["dist/*", "!dist/terminal-main.js", "!dist/relay-main.js"],
    splitting: true,
  },
  // In one piece: they are copied where the account of the service could not read them.
  { ...options, entry: ["src/terminal-main.ts", "src/relay-main.ts"], splitting: false },
]);
