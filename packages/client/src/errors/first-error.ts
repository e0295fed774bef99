import { CleanupError } from "./cleanup-error.ts";

/** Where an error of a body keeps what went wrong afterwards, in the order in which it did. */
const PROPERTY = "cleanupErrors";

/**
 * Runs a body and then its cleanup. The body's error is the one that is thrown, whatever the cleanup
 * does; see {@link cleanupErrorsOf}.
 *
 * @param onUnattached told of a cleanup's error that the body's cannot hold
 * @throws what the body throws; else what the cleanup does
 */
export async function thenCleanUp<T>(
  body: () => T | PromiseLike<T>,
  cleanup: () => Promise<void>,
  onUnattached: (error: CleanupError) => void,
): Promise<T> {
  let value: T;
  try {
    value = await body();
  } catch (error) {
    await cleanup().catch((failure: unknown) => {
      const told = asCleanupError(failure);
      if (!attach(error, told)) onUnattached(told);
    });
    throw error;
  }
  await cleanup();
  return value;
}

/**
 * What could not be cleaned up after an error that a body of `withSandbox` or `withSession` threw: the
 * error's own property `cleanupErrors`. Empty for every other error.
 */
export function cleanupErrorsOf(error: unknown): readonly CleanupError[] {
  if (typeof error !== "object" || error === null) return [];
  const all: unknown = Reflect.get(error, PROPERTY);
  return Array.isArray(all) ? all.filter((each) => each instanceof CleanupError) : [];
}

function asCleanupError(failure: unknown): CleanupError {
  if (failure instanceof CleanupError) return failure;
  const error = failure instanceof Error ? failure : new Error(String(failure));
  return new CleanupError([{ sandboxId: "", tags: [], error }]);
}

/** Answers whether it could: a body may throw a text, or something frozen. */
function attach(error: unknown, failure: CleanupError): boolean {
  if (typeof error !== "object" || error === null || error === failure) return false;
  return Reflect.defineProperty(error, PROPERTY, {
    value: [...cleanupErrorsOf(error), failure],
    // Shown with the error by Node and by reporters.
    enumerable: true,
    configurable: true,
    writable: true,
  });
}
