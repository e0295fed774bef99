import { defineConfig } from "tsup";

export default defineConfig({
  entry: {
    index: "src/index.ts",
    internal: "src/internal.ts",
    errors: "src/errors.ts",
    // A program: started when a process ends with sandboxes alive.
    "cleanup-helper": "src/process/cleanup-helper.ts",
  },
  format: ["esm", "cjs"],
  target: "node22",
  dts: true,
  clean: true,
  sourcemap: false,
  splitting: true,
  // A class that names itself would be called `_Sandbox` in every message.
  keepNames: true,
  // Bundled: p-retry is ESM only, and the CommonJS build must not require an ES module. The wire's
  // libraries are two hundred small files, which load slower than all that is done with them, in
  // every worker of a test run. They stay dependencies for their types.
  noExternal: ["p-retry", "is-network-error", "modern-tar", /^@connectrpc\//, /^@bufbuild\//],
  esbuildOptions(options, { format }) {
    if (format !== "cjs") return;
    // Jest refuses `import()` in CommonJS; `require` is as late.
    options.supported = { ...options.supported, "dynamic-import": false };
    // Asked for only where there is no `__filename`. tsup's own shim looks for a document first.
    options.define = { ...options.define, "import.meta.url": "undefined" };
  },
});
