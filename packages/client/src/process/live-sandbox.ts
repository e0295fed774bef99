import type { ServiceAccess } from "../connection/credentials.ts";

/** What a process needs that stops it in our place. */
export type Handover = { readonly service: ServiceAccess } & (
  | { readonly kind: "sandbox"; readonly sandboxId: string }
  | {
      readonly kind: "create";
      readonly requestId: string;
      readonly templateId?: string;
      /** The wire's `SandboxSpec`, or with a template what takes the place of parts of it, in base64. */
      readonly spec: string;
    }
);

/**
 * Something of this process that must not outlive it: a sandbox, a create whose answer is not there
 * yet, or starts that wait for their turn. Plain enough to be shared by two copies of this package.
 */
export interface LiveSandbox {
  /** The same sandbox has the same key, whoever tells of it. */
  readonly key: string;
  /** Empty for what is not known to be a sandbox yet. */
  readonly sandboxId: string;
  readonly tags: readonly string[];
  /** For whoever goes on in our place. Left out where nothing was sent: the end of the process ends it. */
  handover?(): Handover;
  /** Tells the service to stop it. @throws what kept it from that, also the signal's reason */
  stop(request: { readonly graceSeconds: number; readonly signal: AbortSignal }): Promise<void>;
}

export function keyOfSandbox(baseUrl: string, sandboxId: string): string {
  return `sandbox ${baseUrl} ${sandboxId}`;
}

export function keyOfCreate(requestId: string): string {
  return `create ${requestId}`;
}
