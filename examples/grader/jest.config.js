// Stands for what a grader's own machine has in its environment. Set here, before anything starts,
// so that every process of the run could pass it on; jest/secrecy.test.ts looks whether one does.
process.env["GRADER_DATABASE_PASSWORD"] ??= "correct-horse-battery-staple";

/** @type {import("jest").Config} */
export default {
  preset: "@tidybox/jest",
  roots: ["<rootDir>/jest"],
  // TypeScript by Jest's own transformer, and as the ES modules that it is written as.
  transform: { "\\.ts$": ["babel-jest", { presets: ["@babel/preset-typescript"] }] },
  extensionsToTreatAsEsm: [".ts"],
  testTimeout: 60_000,
  testEnvironmentOptions: {
    tidybox: { sandbox: { containerImage: "python:3.11", workingDirectory: "/workspace" } },
  },
};
