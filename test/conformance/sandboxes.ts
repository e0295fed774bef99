import { create } from "@bufbuild/protobuf";
import { type Sandbox, SandboxSpecSchema, State } from "@tidybox/protocol";
import { type SpecInit, specOf, until } from "../../packages/local/src/testing/test-service.ts";
import type { CaseContext } from "./contract.ts";

type ContainerInit = Parameters<typeof specOf>[0];

/** Creates a sandbox with one container `main` under the case's tag, and does not wait. */
export function started(
  { bed, tag }: CaseContext,
  container: ContainerInit = {},
  rest: SpecInit = {},
): Promise<Sandbox> {
  const spec = create(SandboxSpecSchema, specOf(container, rest));
  spec.tags.push(tag);
  return bed.sandboxes.createSandbox({ sandbox: { spec } });
}

/** The same, once it is RUNNING; the case's own timeout bounds it. */
export async function running(
  context: CaseContext,
  container: ContainerInit = {},
  rest: SpecInit = {},
): Promise<string> {
  const { sandboxId } = await started(context, container, rest);
  const sandbox = await until(
    context.bed.sandboxes,
    sandboxId,
    (state) => state !== State.CREATING && state !== State.PENDING,
  );
  if (sandbox.status?.state !== State.RUNNING)
    throw new Error(`did not run: ${sandbox.status?.stateReason}`);
  return sandboxId;
}
