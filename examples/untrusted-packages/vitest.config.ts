import { randomUUID } from "node:crypto";
import { tidybox } from "@tidybox/vitest/plugin";
import { defineConfig } from "vitest/config";

// Stands for the token that a CI job has in its environment. Set here, before anything starts, so
// that every process of the run could pass it on to a sandbox.
process.env["EXAMPLE_REGISTRY_TOKEN"] ??= `npm_${randomUUID()}`;

export default defineConfig({
  plugins: [tidybox({ sandbox: { containerImage: "node:24", network: { denyEgress: true } } })],
  test: { dir: "vitest", testTimeout: 60_000, hookTimeout: 60_000 },
});
