import type { Sandbox } from "@tidybox/client";

/** Methods of a sandbox that answer later anyway, so that they can begin by making it. */
const METHODS: ReadonlySet<string> = new Set<keyof Sandbox & string>([
  "exec",
  "readFile",
  "readTextFile",
  "writeFile",
  "status",
  "wait",
  "stop",
]);

/** What only a sandbox that exists can answer. */
const FIELDS: ReadonlySet<string> = new Set<keyof Sandbox & string>([
  "id",
  "tags",
  "annotations",
  "state",
  "createdAt",
]);

/**
 * A sandbox for tests whose context cannot wait: it is made when the first method is called. Fields
 * such as `id` can be read from then on, and throw before.
 */
export function lazySandbox(make: () => Promise<Sandbox>): Sandbox {
  let made: Sandbox | undefined;
  let making: Promise<Sandbox> | undefined;
  const started = () => (making ??= make().then((sandbox) => (made = sandbox)));
  const read = (_: object, name: string | symbol): unknown => {
    if (made !== undefined) {
      const value: unknown = Reflect.get(made, name, made);
      return typeof value === "function" ? value.bind(made) : value;
    }
    if (typeof name !== "string") return undefined;
    if (METHODS.has(name)) {
      return async (...args: unknown[]) => {
        const sandbox = await started();
        const method: unknown = Reflect.get(sandbox, name, sandbox);
        if (typeof method !== "function") throw new TypeError(`sandbox.${name} is not a function`);
        return Reflect.apply(method, sandbox, args);
      };
    }
    if (FIELDS.has(name)) {
      throw new Error(
        `sandbox.${name} cannot be read yet: with Vitest's own test the sandbox is made at its first use. ` +
          'Run a command first, or import { test } from "@tidybox/vitest", where it is ready.',
      );
    }
    return undefined;
  };
  return new Proxy({}, { get: read }) as Sandbox;
}
