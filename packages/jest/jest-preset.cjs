"use strict";

// Jest resolves paths of a preset from the user's project: absolute ones mean the same everywhere.
module.exports = {
  globalSetup: require.resolve("./dist/global-setup.cjs"),
  globalTeardown: require.resolve("./dist/global-teardown.cjs"),
  testEnvironment: require.resolve("./dist/environment.cjs"),
  setupFilesAfterEnv: [require.resolve("./dist/setup-file.cjs")],
};
