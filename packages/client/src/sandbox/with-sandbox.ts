import { CleanupError } from "../errors/cleanup-error.ts";
import { thenCleanUp } from "../errors/first-error.ts";
import { invalidOption } from "../options/invalid-option.ts";
import { asError, reportLeft } from "./cleanup-report.ts";
import { isCommand, type RunOptions } from "./run-options.ts";
import { Sandbox } from "./sandbox.ts";

/** What is done with a sandbox that ends afterwards. */
export type SandboxBody<T> = (sandbox: Sandbox) => T | PromiseLike<T>;

/**
 * `await using` for older syntax: starts a sandbox, gives it to the body, stops it, and answers what
 * the body did. An error of the body is thrown whatever the stop does: what that could not clean up is
 * in the error's `cleanupErrors` (see {@link cleanupErrorsOf}).
 *
 * @throws what {@link Sandbox.run} throws, then what the body throws
 * @throws CleanupError when only the stop fails
 */
export function withSandbox<T>(body: SandboxBody<T>): Promise<T>;
export function withSandbox<T>(options: RunOptions, body: SandboxBody<T>): Promise<T>;
export function withSandbox<T>(command: readonly string[], body: SandboxBody<T>): Promise<T>;
export function withSandbox<T>(
  command: readonly string[],
  options: RunOptions,
  body: SandboxBody<T>,
): Promise<T>;
export async function withSandbox<T>(
  ...args: readonly [...RunArguments, SandboxBody<T>]
): Promise<T> {
  const body = args[args.length - 1];
  if (typeof body !== "function")
    throw invalidOption("body", "must be a function, the last argument");
  const [first = {}, second] = args.slice(0, -1) as Partial<
    [RunOptions | readonly string[], RunOptions]
  >;
  const sandbox = await (isCommand(first) ? Sandbox.run(first, second) : Sandbox.run(first));
  return thenCleanUp(
    () => body(sandbox),
    async () => {
      try {
        await sandbox.stop({ missingOk: true });
      } catch (error) {
        throw new CleanupError([
          { sandboxId: sandbox.id, tags: sandbox.tags, error: asError(error) },
        ]);
      }
    },
    ({ failures }) => reportLeft(failures),
  );
}

type RunArguments =
  | readonly []
  | readonly [RunOptions | readonly string[]]
  | readonly [readonly string[], RunOptions];
