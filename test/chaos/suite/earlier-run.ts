import { toBinary } from "@bufbuild/protobuf";
import { toSandboxSpec } from "@tidybox/client/internal";
import { SandboxSpecSchema } from "@tidybox/protocol";
import { optionSetId } from "../../../packages/fixtures/src/coordinator/option-set.ts";
import type { Files } from "../framework.ts";
import type { RunPlan } from "./plan.ts";

/**
 * What an earlier run of the same project would have left: so the struck one makes sandboxes before
 * its first test asks, and a strike finds some ready and some on their way.
 */
export function leftByEarlierRun(files: Files, plan: RunPlan): Files {
  const testFiles = Object.keys(files).filter((name) => name.startsWith("suite-"));
  const spec = toBinary(SandboxSpecSchema, toSandboxSpec({}));
  const asks = plan.testsPerFile + (plan.pairs ? Math.floor(plan.testsPerFile / 2) : 0);
  const optionSet = {
    id: optionSetId(spec, undefined),
    asksByFile: Object.fromEntries(testFiles.map((name) => [name, asks])),
    // A service that is slow: as many as there are slots for are wanted at once.
    ...{ createSeconds: 2, asksPerSecond: 20, testTimeoutSeconds: plan.timeoutSeconds },
  };
  const project = { root: "", files: testFiles, optionSets: [optionSet] };
  return {
    "node_modules/.cache/tidybox/history.json": JSON.stringify({ version: 1, projects: [project] }),
  };
}
