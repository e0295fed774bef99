/**
 * Adds what a failed test shows of its sandboxes to the last of its errors, where Jest prints it
 * above the code frame. Errors of circus are an error, anything thrown, or a pair of that and where
 * the test stands.
 */
export function addToErrors(errors: unknown[], diagnostics: string): boolean {
  const at = errors.length - 1;
  const last = errors[at];
  if (last === undefined) return false;
  const [thrown, location] = Array.isArray(last) ? last : [last, undefined];
  if (isErrorLike(thrown)) {
    addToMessage(thrown, diagnostics);
    return true;
  }
  // Jest would print what was thrown in quotes, as circus' own timeouts are.
  const error = new Error(`${String(thrown)}\n\n${diagnostics}`);
  const stack = isErrorLike(location) ? location.stack : undefined;
  if (stack !== undefined) error.stack = withMessage(stack, error.message);
  errors[at] = error;
  return true;
}

interface ErrorLike {
  message: string;
  stack?: string;
}

function addToMessage(error: ErrorLike, diagnostics: string): void {
  const message = `${error.message}\n\n${diagnostics}`;
  const { stack } = error;
  // Jest prints the stack, which begins with the message as it was when the error was made.
  if (stack !== undefined) {
    error.stack = stack.includes(error.message)
      ? stack.replace(error.message, () => message)
      : withMessage(stack, message);
  }
  error.message = message;
}

function withMessage(stack: string, message: string): string {
  const frames = stack.split("\n").filter((line) => /^\s+at /.test(line));
  return [`Error: ${message}`, ...frames].join("\n");
}

function isErrorLike(value: unknown): value is ErrorLike {
  return typeof value === "object" && value !== null && "message" in value;
}
