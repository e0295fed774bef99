import { defineConfig } from "tsup";

export default defineConfig({
  entry: ["src/index.ts", "src/internal.ts", "src/errors.ts"],
  format: ["esm", "cjs"],
  target: "node22",
  dts: true,
  clean: true,
  sourcemap: false,
  splitting: true,
  // A class that names itself would be called `_Sandbox` in every message.
  keepNames: true,
  // ESM only: bundled so that the CommonJS build never requires an ES module.
  noExternal: ["p-retry", "is-network-error"],
  esbuildOptions(options, { format }) {
    // Jest refuses `import()` in CommonJS; `require` is as late.
    if (format === "cjs") options.supported = { ...options.supported, "dynamic-import": false };
  },
});
