import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { ErrorReason, SandboxSpecSchema, State } from "@tidybox/protocol";
import { expect } from "vitest";
import { refusalOf, until } from "../../packages/local/src/testing/test-service.ts";
import type { CaseContext, Exception, SentenceOptions } from "./contract.ts";

/** Each prints its name, and then lives on; it is in `NAME`, too. */
const SCRIPT = 'echo "$NAME"; exec sleep 600';

function createPair({ bed, tag }: CaseContext) {
  const containers = ["main", "side"].map((name) => ({
    name,
    image: "python:3.11",
    command: "/bin/sh",
    args: ["-c", SCRIPT],
    environmentVariables: { NAME: name },
  }));
  const spec = create(SandboxSpecSchema, { containers, primaryContainer: "main", tags: [tag] });
  return bed.sandboxes.createSandbox({ sandbox: { spec } });
}

/** A sandbox with the containers `main`, the primary one, and `side`. */
export async function runningPair(context: CaseContext): Promise<string> {
  const { sandboxId } = await createPair(context);
  await until(context.bed.sandboxes, sandboxId, (state) => state === State.RUNNING);
  return sandboxId;
}

const REFUSED: Exception = {
  cannot: "have several containers in a sandbox",
  instead: async (context) => {
    const refusal = await refusalOf(createPair(context));
    expect(refusal).toMatchObject({
      code: Code.FailedPrecondition,
      reason: ErrorReason.NO_SUITABLE_RUNNER,
    });
    expect(refusal.message).toContain("several");
  },
};

/** For sentences that are about more than one container. */
export const NEEDS_SEVERAL_CONTAINERS: SentenceOptions = {
  unless: { process: REFUSED },
};
