import { equals } from "@bufbuild/protobuf";
import { type Sandbox, SandboxSchema } from "@tidybox/protocol";

/** Far more than a run makes within the retention of its sandboxes. */
const MAX_TOKENS = 10_000;

interface FirstCreate {
  readonly sandbox: Sandbox;
  readonly sandboxId: string;
}

/** What each idempotency token made first, for as long as that sandbox is remembered. */
export class CreateReplays {
  readonly #byToken = new Map<string, FirstCreate>();
  readonly #tokenOf = new Map<string, string>();

  remember(requestId: string, sandbox: Sandbox, sandboxId: string): void {
    this.#byToken.set(requestId, { sandbox, sandboxId });
    this.#tokenOf.set(sandboxId, requestId);
    const oldest = this.#byToken.values().next().value;
    if (this.#byToken.size > MAX_TOKENS && oldest !== undefined) this.forget(oldest.sandboxId);
  }

  forget(sandboxId: string): void {
    const requestId = this.#tokenOf.get(sandboxId);
    if (requestId === undefined) return;
    this.#tokenOf.delete(sandboxId);
    this.#byToken.delete(requestId);
  }

  /** The sandbox that this very request made before; "conflict" when the token made another. */
  find(
    requestId: string,
    sandbox: Sandbox,
  ): { readonly sandboxId: string } | "conflict" | undefined {
    const first = this.#byToken.get(requestId);
    if (first === undefined) return undefined;
    return equals(SandboxSchema, first.sandbox, sandbox)
      ? { sandboxId: first.sandboxId }
      : "conflict";
  }
}
