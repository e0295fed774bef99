import { expect } from "vitest";
import { isTerminal, State } from "@tidybox/protocol";
import { untilEnded } from "../../../packages/local/src/testing/test-service.ts";
import { section } from "../contract.ts";
import { started } from "../sandboxes.ts";

export const lifecycle = section("3.1", (says) => {
  says("a terminal state never changes afterwards", async (context) => {
    const { sandboxes } = context.bed;
    const { sandboxId } = await started(context, { command: "/bin/sh", args: ["-c", "exit 3"] });
    const ended = await untilEnded(sandboxes, sandboxId);
    expect(ended.status).toMatchObject({ state: State.COMPLETED, exitCode: 3 });
    await sandboxes.deleteSandbox({ sandboxId });
    const later = await sandboxes.getSandbox({ sandboxId });
    expect(isTerminal(later.status?.state ?? State.UNSPECIFIED)).toBe(true);
    expect(later.status).toEqual(ended.status);
  });
});
