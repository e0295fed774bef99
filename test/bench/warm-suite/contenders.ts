import * as v from "valibot";
import { makeVitestProject, type VitestProject } from "../vitest-project.ts";
import { type FileTimes, timesOf } from "./clock.ts";
import {
  BARE_CONFIG,
  emptyTests,
  FILES,
  pluginConfig,
  READY_FILE,
  REPORT_FILE,
  suiteFiles,
  testsByHand,
  testsWithFixture,
} from "./projects.ts";

export interface Paid {
  readonly made: number;
  readonly warmMade: number;
  readonly warmUnused: number;
  readonly sandboxSeconds: number;
  readonly startingSeconds: number;
  readonly poolSeconds: number;
  readonly testSeconds: number;
  readonly endingSeconds: number;
}

/** One run of a suite. Seconds from the spawn of its process. */
export interface SuiteRun {
  readonly wholeSeconds: number;
  readonly firstAskedSeconds: number;
  readonly lastEndSeconds: number;
  /** When the coordinator was up; undefined without one. */
  readonly coordinatorSeconds: number | undefined;
  readonly files: readonly FileTimes[];
  readonly paid: Paid | undefined;
}

/** Where a cell's sandboxes come from. */
export interface Target {
  /** With the embedded engine the fixtures' runs have no service beside them. */
  readonly embedded: boolean;
  readonly slots: number;
  /** Of the service that those by hand use, and with it all. */
  readonly serviceEnv: Readonly<Record<string, string>>;
}

export interface Suite extends AsyncDisposable {
  run(): Promise<SuiteRun>;
  forgetEarlierRuns(): Promise<void>;
}

/** Each test file with so many tests that do nothing, without us. */
export function emptySuite(testsPerFile: number): Promise<Suite> {
  const files = suiteFiles(BARE_CONFIG, (file) => emptyTests(file, testsPerFile));
  return makeSuite(files, {}, false);
}

export function suiteByHand(testsPerFile: number, { serviceEnv }: Target): Promise<Suite> {
  const files = suiteFiles(BARE_CONFIG, (file) => testsByHand(file, testsPerFile));
  return makeSuite(files, serviceEnv, false);
}

export function suiteWithFixture(
  testsPerFile: number,
  { embedded, slots, serviceEnv }: Target,
  warm: "auto" | false,
): Promise<Suite> {
  const config = pluginConfig({
    ...(embedded ? { backend: "local", local: { engine: "bubblewrap" } } : {}),
    // A test waits for its slot longer than a user would set it for, with few slots and slow creates.
    ...{ maxSandboxes: slots, startTimeoutSeconds: 120, warm },
  });
  const files = suiteFiles(config, (file) => testsWithFixture(file, testsPerFile));
  return makeSuite(files, embedded ? {} : serviceEnv, true);
}

async function makeSuite(
  files: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>>,
  withPlugin: boolean,
): Promise<Suite> {
  const project = await makeVitestProject(files);
  return {
    run: async () => {
      const { spawnedAt, exitedAt } = await project.run({ env });
      const times = await timesOf(project, FILES);
      const since = (at: number): number => (at - spawnedAt) / 1000;
      const ready = withPlugin ? await project.readJson(READY_FILE) : undefined;
      return {
        wholeSeconds: since(exitedAt),
        firstAskedSeconds: since(
          Math.min(...times.flatMap(({ tests }) => tests.map(({ askedAt }) => askedAt))),
        ),
        lastEndSeconds: since(Math.max(...times.map(({ endedAt }) => endedAt))),
        coordinatorSeconds: typeof ready === "number" ? since(ready) : undefined,
        files: times,
        paid: withPlugin ? await paidFor(project) : undefined,
      };
    },
    forgetEarlierRuns: () => project.forgetEarlierRuns(),
    [Symbol.asyncDispose]: () => project[Symbol.asyncDispose](),
  };
}

const ReportSchema = v.object({
  account: v.object({
    created: v.number(),
    warmMade: v.number(),
    warmUnused: v.number(),
    sandboxSeconds: v.number(),
    startingSeconds: v.number(),
    poolSeconds: v.number(),
    testSeconds: v.number(),
    endingSeconds: v.number(),
  }),
});

async function paidFor(project: VitestProject): Promise<Paid> {
  const { account } = v.parse(ReportSchema, await project.readJson(REPORT_FILE));
  const { created: made, ...rest } = account;
  return { made, ...rest };
}
