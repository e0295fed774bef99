/** A call needs a sandbox that cannot take it: it is ending, or who runs it does not answer. */
export class SandboxUnreachableError extends Error {
  override readonly name = "SandboxUnreachableError";
  readonly kind: "ending" | "engine_lost";

  constructor(
    kind: SandboxUnreachableError["kind"],
    message: string,
    options?: { readonly cause?: unknown },
  ) {
    super(message, options);
    this.kind = kind;
  }
}

export function sandboxIsEnding(sandboxId: string, cause?: unknown): SandboxUnreachableError {
  const message = `sandbox ${sandboxId} is not running: it is being stopped`;
  return new SandboxUnreachableError("ending", message, { cause });
}
