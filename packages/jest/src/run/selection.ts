import { dirname, extname } from "node:path";

/**
 * What we read of Jest's configuration of the whole run; 29 and 30 agree on most of it. Users' own
 * global hooks are typed with what their Jest has, so nothing is said of what is not looked at.
 */
export interface JestGlobalConfig {
  readonly rootDir: string;
  readonly projects?: unknown;
  /** How many failed tests end the run; 0: none does. */
  readonly bail?: unknown;
  readonly watch?: unknown;
  readonly watchAll?: unknown;
  readonly testNamePattern?: unknown;
  /** Jest 29. */
  readonly testPathPattern?: unknown;
  /** Jest 30: an object with a list of them. */
  readonly testPathPatterns?: unknown;
  readonly nonFlagArgs?: unknown;
  readonly runTestsByPath?: unknown;
  readonly findRelatedTests?: unknown;
  readonly onlyChanged?: unknown;
  readonly onlyFailures?: unknown;
  readonly changedSince?: unknown;
  readonly lastCommit?: unknown;
  readonly shard?: unknown;
  readonly filter?: unknown;
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
    listOf(propertyOf(config.testPathPatterns, "patterns")).length > 0,
    listOf(config.nonFlagArgs).length > 0,
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
  return Boolean(testNamePattern);
}

/** Whether failed tests end the run before all files have run. */
export function mayBail({ bail }: JestGlobalConfig): boolean {
  return Number(bail) > 0;
}

/** Folders of the projects that are there by themselves: those from which their files are named. */
export function rootsOf({ projects }: JestGlobalConfig): readonly string[] {
  return listOf(projects).flatMap((project) => {
    if (typeof project === "string") return [extname(project) === "" ? project : dirname(project)];
    const root = propertyOf(project, "rootDir");
    return typeof root === "string" ? [root] : [];
  });
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function propertyOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}
