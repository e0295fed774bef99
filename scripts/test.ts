import { randomUUID } from "node:crypto";
import { chmod, mkdir, mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startTestDocker, type TestDocker } from "./docker-engine.ts";
import { endProcesses, findLeftovers, findTraces, suiteMarker } from "./leftovers.ts";
import type { Leftover, SuiteScope } from "./leftovers.ts";
import type { SuiteReport } from "./suite-report.ts";
import { failedReport } from "./suite-report.ts";
import type { Stage, StageContext } from "./test-stages.ts";
import { stages } from "./test-stages.ts";

/** Stages with tests of the engine docker. */
const RUNS_DOCKER = new Set(["unit", "conformance", "system"]);

/** `npm test`: runs the stages and ends with one line, `N passed, N failed`. */
async function main(): Promise<number> {
  const chosen = chooseStages();
  if (chosen === undefined) return 2;

  const scope = await makeScope();
  const interruption = new AbortController();
  // Not `once`: execa's own handler ends the process when it finds no other one.
  const interrupt = (): void => {
    if (interruption.signal.aborted) process.exit(130);
    interruption.abort();
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);

  const reports: SuiteReport[] = [];
  let docker: TestDocker | undefined;
  try {
    const before = await findTraces(scope);
    const reportFolder = join(scope.ownFolder, "reports");
    await mkdir(reportFolder);
    if (chosen.some((stage) => RUNS_DOCKER.has(stage.name)))
      docker = await startTestDocker(join(scope.ownFolder, "docker"), interruption.signal);
    const context: StageContext = {
      reportFolder,
      environment: { ...testEnvironment(scope), ...docker?.environment },
      signal: interruption.signal,
    };
    let buildFailed = false;
    for (const stage of chosen) {
      const report = await runStage(stage, context, buildFailed);
      buildFailed ||= stage.name === "build" && report.failed > 0;
      reports.push(report);
    }
    await docker?.stop();
    reports.push(await checkLeftovers(before, scope));
  } finally {
    await docker?.stop();
    await removeFolder(scope.ownFolder);
  }

  for (const { name, reason } of reports.flatMap((report) => report.skipped)) {
    console.log(`skipped: ${name}${reason === undefined ? "" : ` (${reason})`}`);
  }
  for (const failure of reports.flatMap((report) => report.failures))
    console.log(`failed: ${failure}`);
  const passed = reports.reduce((sum, report) => sum + report.passed, 0);
  const failed = reports.reduce((sum, report) => sum + report.failed, 0);
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

/** `--only a,b` takes stages by name; the build always comes along. */
function chooseStages(): readonly Stage[] | undefined {
  const names = stages.map((stage) => stage.name);
  try {
    const { values } = parseArgs({ options: { only: { type: "string", multiple: true } } });
    if (values.only === undefined) return stages;
    const wanted = values.only.flatMap((value) => value.split(","));
    const unknown = wanted.find((name) => !names.includes(name));
    if (unknown !== undefined) throw new Error(`there is no stage "${unknown}"`);
    return stages.filter((stage) => wanted.includes(stage.name) || stage.name === "build");
  } catch (error) {
    console.error(
      `npm test -- --only <stage>[,<stage>]: ${error instanceof Error ? error.message : String(error)}; stages: ${names.join(", ")}`,
    );
    return undefined;
  }
}

/**
 * The suite has a folder of its own for temporary files, so that what it leaves can be told from
 * what other people's processes make meanwhile.
 */
async function makeScope(): Promise<SuiteScope> {
  const machineFolder = await realpath(tmpdir());
  const ownFolder = await mkdtemp(join(machineFolder, "suite-tidybox-"));
  // As /tmp itself: a local service that was started by root gives root up and must still be able
  // to remove its own folder in here.
  await chmod(ownFolder, 0o1777);
  return { suiteId: randomUUID(), ownFolder, temporaryFolders: [machineFolder] };
}

/**
 * The developer's own settings and account stay out of the tests: no CWSANDBOX_* and no TIDYBOX_*
 * except TIDYBOX_TEST_*, which are meant for them, and TIDYBOX_LOG.
 */
function testEnvironment(scope: SuiteScope): Record<string, string | undefined> {
  const environment: Record<string, string | undefined> = {};
  for (const name of Object.keys(process.env)) {
    const setting = name.startsWith("CWSANDBOX_") || name.startsWith("TIDYBOX_");
    if (setting && !name.startsWith("TIDYBOX_TEST_") && name !== "TIDYBOX_LOG") {
      environment[name] = undefined;
    }
  }
  return { ...environment, [suiteMarker]: scope.suiteId, TMPDIR: scope.ownFolder };
}

async function runStage(
  stage: Stage,
  context: StageContext,
  buildFailed: boolean,
): Promise<SuiteReport> {
  const started = performance.now();
  let report: SuiteReport;
  if (context.signal.aborted) report = failedReport("not run: interrupted");
  else if (buildFailed && stage.needsBuild) report = failedReport("not run: the build failed");
  else {
    report = await stage
      .run(context)
      .catch((error: unknown) =>
        failedReport(error instanceof Error ? (error.stack ?? error.message) : String(error)),
      );
  }
  printStage(stage.name, report, started);
  return report;
}

/** Leaving nothing behind is what tidybox is for, so it counts as one test. */
async function checkLeftovers(
  before: readonly Leftover[],
  scope: SuiteScope,
): Promise<SuiteReport> {
  const started = performance.now();
  for (const trace of before) console.log(`there before the tests: ${trace.description}`);
  let report: SuiteReport;
  try {
    const left = await findLeftovers(before, scope);
    for (const leftover of left) console.log(`LEFT BEHIND: ${leftover.description}`);
    endProcesses(left);
    report =
      left.length === 0
        ? { passed: 1, failed: 0, skipped: [], failures: [] }
        : failedReport(`${left.length} left behind`);
  } catch (error) {
    report = failedReport(error instanceof Error ? error.message : String(error));
  }
  printStage("leftovers", report, started);
  return report;
}

function printStage(name: string, report: SuiteReport, started: number): void {
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const problem = report.problem === undefined ? "" : `  (${report.problem})`;
  const counts = `${report.passed} passed, ${report.failed} failed`;
  const skips = report.skipped.length === 0 ? "" : `, ${report.skipped.length} skipped`;
  console.log(`test  ${name}  ${counts}${skips}  ${seconds} s${problem}`);
}

async function removeFolder(folder: string): Promise<void> {
  try {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  } catch (error) {
    console.log(`${folder} could not be removed: ${error instanceof Error ? error.message : ""}`);
  }
}

process.exitCode = await main();
