import { invalidOption } from "./invalid-option.ts";

/** @throws ConfigurationError unless it is a text with something in it */
export function checkText(value: unknown, option: string): void {
  if (typeof value !== "string" || value.trim() === "") {
    throw invalidOption(option, `must be a text that is not empty, not ${JSON.stringify(value)}`);
  }
  if (value.includes("\0")) throw invalidOption(option, "must not contain a NUL character");
}

/** @throws ConfigurationError unless it is a program and its arguments */
export function checkCommand(command: unknown, option: string): void {
  if (!Array.isArray(command) || command.length === 0) {
    throw invalidOption(
      option,
      `must be a list of words, program first, not ${JSON.stringify(command)}`,
    );
  }
  checkText(command[0], `${option}[0]`);
  for (const [index, word] of command.entries()) {
    if (typeof word !== "string") {
      throw invalidOption(`${option}[${index}]`, `must be a text, not ${JSON.stringify(word)}`);
    }
    if (word.includes("\0"))
      throw invalidOption(`${option}[${index}]`, "must not contain a NUL character");
  }
}

/** @throws ConfigurationError unless it is absolute */
export function checkAbsolutePath(path: unknown, option: string): void {
  checkText(path, option);
  if (!String(path).startsWith("/")) {
    throw invalidOption(option, `must be an absolute path, not ${JSON.stringify(path)}`);
  }
}

/** @throws ConfigurationError unless all values are texts; they are not shown, being maybe secret */
export function checkTextMap(map: unknown, option: string): void {
  if (typeof map !== "object" || map === null || Array.isArray(map)) {
    throw invalidOption(option, "must be an object of texts");
  }
  for (const [key, value] of Object.entries(map)) {
    if (key === "") throw invalidOption(option, "has an empty name");
    if (typeof value !== "string") {
      throw invalidOption(
        `${option}.${key}`,
        `must be a text, not ${value === null ? "null" : `of type ${typeof value}`}`,
      );
    }
    if (key.includes("\0") || value.includes("\0")) {
      throw invalidOption(`${option}.${key}`, "must not contain a NUL character");
    }
  }
}

/** @throws ConfigurationError unless it is variables, by names that a process can have */
export function checkEnvironment(environment: unknown, option: string): void {
  checkTextMap(environment, option);
  const wrong = Object.keys(environment as object).find((name) => name.includes("="));
  if (wrong !== undefined)
    throw invalidOption(option, `has the name ${JSON.stringify(wrong)}: no variable has "=" in it`);
}

/** @throws ConfigurationError unless the container is a name, or left out */
export function checkContainer({ container }: { readonly container?: unknown }): void {
  if (container !== undefined) checkText(container, "container");
}

/** @throws ConfigurationError unless it is a whole number in the range */
export function checkInteger(value: unknown, option: string, least: number, most: number): void {
  if (!Number.isInteger(value) || Number(value) < least || Number(value) > most) {
    throw invalidOption(
      option,
      `must be a whole number from ${least} to ${most}, not ${String(value)}`,
    );
  }
}

/** @throws ConfigurationError unless it is a number of seconds, 0 or Infinity included */
export function checkSeconds(value: unknown, option: string): void {
  if (typeof value !== "number" || Number.isNaN(value) || value < 0) {
    throw invalidOption(option, `must be a number of seconds, 0 or more, not ${String(value)}`);
  }
}

/** @throws ConfigurationError for the second of two that are the same */
export function checkUnique(values: readonly string[], option: string): void {
  const seen = new Set<string>();
  for (const value of values) {
    if (seen.has(value)) throw invalidOption(option, `has ${JSON.stringify(value)} twice`);
    seen.add(value);
  }
}

/** @throws ConfigurationError for a name that would be passed over in silence */
export function checkNames(
  options: object,
  known: Readonly<Record<string, true>>,
  method: string,
): void {
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(known, name));
  if (unknown === undefined) return;
  const names = Object.keys(known).join(", ");
  throw invalidOption(unknown, `is not an option of ${method}`, `Known are: ${names}.`);
}
