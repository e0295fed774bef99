import { defineConfig } from "tsup";

export default defineConfig({
  entry: ["src/index.ts"],
  format: ["esm", "cjs"],
  target: "node22",
  dts: true,
  clean: true,
  sourcemap: false,
  splitting: true,
  // Two hundred small files load slower than all that is done with them: see packages/client.
  noExternal: [/^@bufbuild\//],
});
