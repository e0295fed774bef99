import { TidyboxError } from "./tidybox-error.ts";

/**
 * Gives an error the stack of the call that it answers. Most of ours begin in a timer or in a
 * stream, where no line of the caller's is left to point at.
 *
 * @param entry the public method: frames from it on downward are of no use to the caller
 */
export async function atCallSite<T>(
  entry: (...args: never[]) => unknown,
  body: () => Promise<T>,
): Promise<T> {
  const here: { stack?: string } = {};
  Error.captureStackTrace(here, entry);
  try {
    return await body();
  } catch (error) {
    if (error instanceof TidyboxError && here.stack !== undefined) {
      const frames = here.stack.split("\n").slice(1).join("\n");
      error.stack = `${error.name}: ${error.message}\n${frames}`;
    }
    throw error;
  }
}
