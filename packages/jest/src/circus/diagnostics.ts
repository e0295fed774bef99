import { inspect } from "node:util";

/**
 * Adds what a failed test shows of its sandboxes to the last of its errors, where Jest prints it
 * above the code frame. Errors of circus are an error, anything thrown, or a pair of that and where
 * the test stands.
 */
export function addToErrors(errors: unknown[], diagnostics: string): boolean {
  if (errors.length === 0) return false;
  const at = errors.length - 1;
  const last = errors[at];
  const [thrown, location]: readonly unknown[] = Array.isArray(last) ? last : [last];
  if (isErrorLike(thrown)) {
    const error = withDiagnostics(thrown, diagnostics);
    if (error !== thrown) errors[at] = error;
    return true;
  }
  // Jest would print what was thrown in quotes, as circus' own timeouts are.
  const shown = typeof thrown === "object" ? inspect(thrown) : String(thrown);
  const error = new Error(`${shown}\n\n${diagnostics}`);
  const stack = isErrorLike(location) ? location.stack : undefined;
  if (stack !== undefined) error.stack = withHeader(stack, `Error: ${error.message}`);
  errors[at] = error;
  return true;
}

interface ErrorLike {
  name?: string;
  message: string;
  stack?: string;
}

/** The error itself; another one with it as the cause where nobody may write to it. */
function withDiagnostics(error: ErrorLike, diagnostics: string): ErrorLike {
  const { name = "Error", stack } = error;
  const message = error.message === "" ? diagnostics : `${error.message}\n\n${diagnostics}`;
  // Jest prints the stack, which begins with the message as it was when the error was made.
  const begin = stack === undefined ? -1 : stack.indexOf(error.message);
  const isInHeader = error.message !== "" && begin >= 0 && !stack?.slice(0, begin).includes("\n");
  const newStack = isInHeader
    ? stack?.replace(error.message, () => message)
    : stack && withHeader(stack, `${name}: ${message}`);
  const change = (target: ErrorLike): void => {
    if (newStack !== undefined) target.stack = newStack;
    target.message = message;
  };
  try {
    change(error);
    return error;
  } catch {
    const other: ErrorLike = new Error(message, { cause: error });
    change(other);
    return other;
  }
}

function withHeader(stack: string, header: string): string {
  const frames = stack.split("\n").filter((line) => /^\s+at /.test(line));
  return [header, ...frames].join("\n");
}

function isErrorLike(value: unknown): value is ErrorLike {
  return (
    typeof value === "object" &&
    value !== null &&
    "message" in value &&
    typeof value.message === "string"
  );
}
