import { defineConfig } from "tsup";

export default defineConfig({
  entry: ["src/index.ts", "src/spawn-helper.ts", "src/probe-main.ts"],
  format: ["esm"],
  target: "node22",
  dts: true,
  clean: true,
  sourcemap: false,
  splitting: true,
});
