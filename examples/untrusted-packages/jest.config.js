import { randomUUID } from "node:crypto";

// Stands for the token that a CI job has in its environment. Set here, before anything starts, so
// that every process of the run could pass it on to a sandbox.
process.env["EXAMPLE_REGISTRY_TOKEN"] ??= `npm_${randomUUID()}`;

/** @type {import("jest").Config} */
export default {
  preset: "@tidybox/jest",
  roots: ["<rootDir>/jest"],
  // TypeScript by Jest's own transformer, and as the ES modules that it is written as.
  transform: { "\\.ts$": ["babel-jest", { presets: ["@babel/preset-typescript"] }] },
  extensionsToTreatAsEsm: [".ts"],
  testTimeout: 60_000,
  testEnvironmentOptions: {
    tidybox: { sandbox: { containerImage: "node:24", network: { denyEgress: true } } },
  },
};
