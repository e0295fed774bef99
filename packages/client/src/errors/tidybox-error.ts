/** What an error is made of. */
export interface TidyboxErrorOptions {
  /** Stable name of the kind of failure, such as `"not_found"`. */
  readonly code: string;
  /** What happened, to which sandbox or option. */
  readonly message: string;
  /** What to do about it. Becomes the last line of the message. */
  readonly advice?: string | undefined;
  /** The service's own reason, such as `CWSANDBOX_SANDBOX_NOT_FOUND`. */
  readonly reason?: string | undefined;
  readonly sandboxId?: string | undefined;
  /** What the service attached to its reason. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** How long the service asks to wait before another try. */
  readonly retryDelaySeconds?: number | undefined;
  /** Fields of the request that the service refused. */
  readonly fieldViolations?: readonly FieldViolation[] | undefined;
  /** Tries that were made. */
  readonly attempts?: number | undefined;
  readonly cause?: unknown;
}

/** One field that the service refused. */
export interface FieldViolation {
  /** As the wire calls it, such as `sandbox.spec.tags[0]`. */
  readonly field: string;
  readonly description: string;
}

/** For classes whose `code` is their own. */
export type ErrorOptionsOf<Code extends string = string> = Omit<TidyboxErrorOptions, "code"> & {
  readonly code?: Code;
};

const KINDS = Symbol.for("@tidybox/client/error-kinds");

/**
 * Base of every error that tidybox throws on purpose.
 *
 * `instanceof` also recognises errors of another copy of this package: Jest loads one for each test
 * file, and one more in its environment.
 */
export class TidyboxError extends Error {
  /** Stable: decide by this, not by the message. */
  readonly code: string;
  readonly reason: string | undefined;
  readonly sandboxId: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly retryDelaySeconds: number | undefined;
  /** Empty unless the service said which fields it refuses. */
  readonly fieldViolations: readonly FieldViolation[];
  /** Tries of the call that failed; 0 where no call did. */
  readonly attempts: number;
  /** What to do; empty where nobody can say. Part of the message too. */
  readonly advice: string;

  constructor(options: TidyboxErrorOptions) {
    const { message, advice = "", cause } = options;
    super(
      advice === "" || message.endsWith(advice) ? message : `${message}\n${advice}`,
      cause === undefined ? {} : { cause },
    );
    this.code = options.code;
    this.reason = options.reason;
    this.sandboxId = options.sandboxId;
    this.metadata = options.metadata ?? {};
    this.retryDelaySeconds = options.retryDelaySeconds;
    this.fieldViolations = options.fieldViolations ?? [];
    this.attempts = options.attempts ?? 0;
    this.advice = advice;
    // On the prototype's side of things: no enumerable noise when a reporter prints the error.
    Object.defineProperty(this, "name", {
      value: new.target.name,
      configurable: true,
      writable: true,
    });
    Object.defineProperty(this, KINDS, { value: kindsOf(new.target) });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    if (typeof value !== "object" || value === null) return false;
    const kinds: unknown = Reflect.get(value, KINDS);
    return Array.isArray(kinds) && kinds.includes(this.name);
  }
}

/** Names of the class and of those it extends, down to TidyboxError. */
function kindsOf(kind: { readonly name: string }): readonly string[] {
  const kinds: string[] = [];
  for (let each: unknown = kind; typeof each === "function"; each = Object.getPrototypeOf(each)) {
    kinds.push(each.name);
    if (each === TidyboxError) break;
  }
  return kinds;
}
