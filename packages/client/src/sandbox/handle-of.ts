import type { SandboxHandle } from "./handle.ts";

/** Registered, because Jest loads this package several times and hands sandboxes across. */
export const HANDLE: unique symbol = Symbol.for("@tidybox/client/handle");

/** The inside of a sandbox. */
export function handleOf(sandbox: { readonly [HANDLE]: SandboxHandle }): SandboxHandle {
  return sandbox[HANDLE];
}
