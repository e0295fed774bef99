import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildAll } from "./build.ts";
import { findExamples, runExample } from "./examples.ts";
import { prepareMachine } from "./machine.ts";

/** `npm run demo`: everything a newcomer needs to see sandboxes come and go, in one command. */
async function demo(): Promise<boolean> {
  const started = performance.now();
  const isolation = await prepareMachine();
  if (!(await buildAll())) {
    console.log("demo: nothing was run, because the build failed (see above)");
    return false;
  }
  const examples = await findExamples();
  const reportFolder = await mkdtemp(join(tmpdir(), "demo-reports-"));
  let passed = 0;
  let failed = 0;
  try {
    for (const example of examples) {
      console.log(`\ndemo  ${example.manifest.name}\n`);
      const report = await runExample(example, { reportFolder });
      passed += report.passed;
      failed += report.failed;
      if (report.problem !== undefined) console.log(`${example.manifest.name}: ${report.problem}`);
    }
  } finally {
    await rm(reportFolder, { recursive: true, force: true });
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(
    `\ndemo: ${examples.length} examples, ${passed} tests passed, ${failed} failed, in ${seconds} s (local sandboxes here: ${isolation})`,
  );
  return examples.length > 0 && failed === 0;
}

process.exitCode = (await demo()) ? 0 : 1;
