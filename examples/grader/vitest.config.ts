import { tidybox } from "@tidybox/vitest/plugin";
import { defineConfig } from "vitest/config";

// Stands for what a grader's own machine has in its environment. Set here, before anything starts,
// so that every process of the run could pass it on; vitest/secrecy.test.ts looks whether one does.
process.env["GRADER_DATABASE_PASSWORD"] ??= "correct-horse-battery-staple";

export default defineConfig({
  plugins: [
    tidybox({ sandbox: { containerImage: "python:3.11", workingDirectory: "/workspace" } }),
  ],
  test: { dir: "vitest", testTimeout: 60_000, hookTimeout: 60_000 },
});
