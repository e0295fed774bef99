import type { Vitest } from "vitest/node";

const MACHINE_REPORTERS = new Set(["json", "junit", "tap", "tap-flat", "blob"]);

/** Through Vitest's own output, but not into a report that a program reads from it. */
export function print(vitest: Vitest, line: string): void {
  const names = vitest.config.reporters.map((each) => (Array.isArray(each) ? each[0] : each));
  const file = vitest.config.outputFile;
  const intoStdout = names.some(
    (name) =>
      typeof name === "string" &&
      MACHINE_REPORTERS.has(name) &&
      (file === undefined || (typeof file === "object" && !(name in file))),
  );
  if (intoStdout) process.stderr.write(`${line}\n`);
  else vitest.logger.log(line);
}
