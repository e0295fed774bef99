import { expect, test } from "vitest";
import {
  type JestGlobalConfig,
  mayBail,
  rootsOf,
  runsEverything,
  selectsByName,
} from "./selection.ts";

/** As Jest has it where nothing was asked for. */
const PLAIN: JestGlobalConfig = {
  rootDir: "/project",
  projects: [],
  bail: 0,
  watch: false,
  watchAll: false,
  testPathPattern: "",
  testPathPatterns: { patterns: [] },
  nonFlagArgs: [],
  runTestsByPath: false,
  findRelatedTests: false,
  onlyChanged: false,
  onlyFailures: false,
  lastCommit: false,
};

const SELECTIONS: readonly Partial<JestGlobalConfig>[] = [
  { testNamePattern: "one" },
  { testPathPattern: "a" },
  { testPathPatterns: { patterns: ["a"] } },
  { nonFlagArgs: ["a"], runTestsByPath: true },
  { findRelatedTests: true },
  { onlyChanged: true },
  { onlyFailures: true },
  { changedSince: "main" },
  { lastCommit: true },
  { shard: { shardIndex: 1, shardCount: 2 } },
  { filter: "/project/filter.js" },
  { watch: true },
  { watchAll: true },
];

test("everything runs where nothing selects", () => {
  expect(runsEverything(PLAIN, ["node", "jest", "--ci"])).toBe(true);
});

test.each(SELECTIONS)("%o selects", (selection) => {
  expect(runsEverything({ ...PLAIN, ...selection }, [])).toBe(false);
});

test.each(["--selectProjects", "--select-projects=a", "--ignoreProjects"])("%s selects", (arg) => {
  expect(runsEverything(PLAIN, ["node", "jest", arg])).toBe(false);
});

test("a name pattern selects tests, an empty one none", () => {
  expect(selectsByName({ ...PLAIN, testNamePattern: "one" })).toBe(true);
  expect(selectsByName({ ...PLAIN, testNamePattern: "" })).toBe(false);
  expect(selectsByName(PLAIN)).toBe(false);
});

test("a run may bail where Jest is told so", () => {
  expect(mayBail(PLAIN)).toBe(false);
  expect(mayBail({ ...PLAIN, bail: 1 })).toBe(true);
  expect(mayBail({ rootDir: "/project" })).toBe(false);
});

test("a project is a folder, a configuration file or a configuration", () => {
  const projects = ["/project/one", "/project/two/jest.config.js", { rootDir: "/three" }, {}];
  expect(rootsOf({ ...PLAIN, projects })).toEqual(["/project/one", "/project/two", "/three"]);
});
