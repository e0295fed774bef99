import { defineConfig } from "tsup";

export default defineConfig({
  entry: ["src/index.ts", "src/internal.ts"],
  format: ["esm", "cjs"],
  target: "node22",
  dts: true,
  clean: true,
  sourcemap: false,
  splitting: true,
  // ESM only: bundled so that the CommonJS build never requires an ES module.
  noExternal: ["p-retry", "is-network-error"],
});
