import { extname, dirname } from "node:path";

/** What we read of Jest's configuration of the whole run; 29 and 30 agree on most of it. */
export interface JestGlobalConfig {
  readonly rootDir: string;
  readonly projects?: readonly unknown[];
  /** How many failed tests end the run; 0: none does. */
  readonly bail?: number;
  readonly watch?: boolean;
  readonly watchAll?: boolean;
  readonly testNamePattern?: string | undefined;
  /** Jest 29. */
  readonly testPathPattern?: string;
  /** Jest 30. */
  readonly testPathPatterns?: { readonly patterns?: readonly string[] };
  readonly nonFlagArgs?: readonly string[];
  readonly runTestsByPath?: boolean;
  readonly findRelatedTests?: boolean;
  readonly onlyChanged?: boolean;
  readonly onlyFailures?: boolean;
  readonly changedSince?: string | undefined;
  readonly lastCommit?: boolean;
  readonly shard?: unknown;
  readonly filter?: string | undefined;
}

/** Which projects run, Jest's configuration does not say. */
const SELECTS_PROJECTS = /^--(?:select|ignore)-?projects\b/i;

/** Whether every test file of every project runs. */
export function runsEverything(
  config: JestGlobalConfig,
  args: readonly string[] = process.argv,
): boolean {
  const selects = [
    config.testNamePattern,
    config.testPathPattern,
    (config.testPathPatterns?.patterns ?? []).length > 0,
    (config.nonFlagArgs ?? []).length > 0,
    config.runTestsByPath,
    config.findRelatedTests,
    config.onlyChanged,
    config.onlyFailures,
    config.changedSince,
    config.lastCommit,
    config.shard,
    config.filter,
    config.watch,
    config.watchAll,
    args.some((each) => SELECTS_PROJECTS.test(each)),
  ];
  return !selects.some(Boolean);
}

/** Whether tests are chosen by name: then not all of their files' tests run. */
export function selectsByName({ testNamePattern }: JestGlobalConfig): boolean {
  return testNamePattern !== undefined && testNamePattern !== "";
}

/** Folders of the projects that are there by themselves: those from which their files are named. */
export function rootsOf({ projects = [] }: JestGlobalConfig): readonly string[] {
  return projects.flatMap((project) => {
    if (typeof project === "string") return [extname(project) === "" ? project : dirname(project)];
    const root: unknown =
      typeof project === "object" && project !== null ? Reflect.get(project, "rootDir") : undefined;
    return typeof root === "string" ? [root] : [];
  });
}
