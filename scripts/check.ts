import { checkBoundaries } from "./check-boundaries.ts";
import { runCommand, workspaceBinary } from "./command.ts";

export interface CheckResult {
  readonly name: string;
  readonly ok: boolean;
  /** What was found, for a person; empty when ok. */
  readonly findings: string;
  readonly seconds: number;
}

/**
 * All that can be said about the code without running it. Needs a build, because generated code
 * is type checked too. Prints one line per check, and the findings below a failed one.
 */
export async function checkAll(signal?: AbortSignal): Promise<readonly CheckResult[]> {
  const tool = (name: string, command: string, args: readonly string[]): Promise<CheckResult> =>
    runCommand(workspaceBinary(command), args, {
      timeoutSeconds: 120,
      ...(signal === undefined ? {} : { signal }),
    }).then((result) => ({
      name,
      ok: result.ok,
      findings: result.ok ? "" : `${result.output}\n(${command}: ${result.problem})`,
      seconds: result.seconds,
    }));

  const checks = [
    tool("types", "tsc", ["--noEmit", "--pretty", "false", "-p", "tsconfig.json"]),
    tool("lint", "oxlint", ["--deny-warnings", "--report-unused-disable-directives"]),
    tool("format", "oxfmt", ["--check"]),
    boundaries(),
  ];
  return Promise.all(
    checks.map(async (check) => {
      const result = await check;
      const verdict = result.ok ? `${result.seconds.toFixed(1)} s` : `FAILED\n${result.findings}`;
      console.log(`check  ${result.name}  ${verdict}`);
      return result;
    }),
  );
}

async function boundaries(): Promise<CheckResult> {
  const started = performance.now();
  const violations = await checkBoundaries();
  return {
    name: "boundaries",
    ok: violations.length === 0,
    findings: violations.join("\n"),
    seconds: (performance.now() - started) / 1000,
  };
}

if (process.argv[1] === import.meta.filename) {
  const results = await checkAll();
  process.exitCode = results.every((result) => result.ok) ? 0 : 1;
}
