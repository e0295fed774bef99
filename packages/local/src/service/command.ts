import { invalidArgument, type Violation } from "./failures.ts";

/** Refuses what no kernel would run. `prefix` is the request's field that holds the command. */
export function checkCommand(
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
  prefix: string,
): void {
  const found: Violation[] = [];
  if ((command[0] ?? "").trim() === "") {
    found.push({
      field: `${prefix}command`,
      description: "must have at least one word, the first not blank",
    });
  }
  if (command.some((word) => word.includes("\0"))) {
    found.push({ field: `${prefix}command`, description: "must not contain a NUL character" });
  }
  for (const [name, value] of Object.entries(environment)) {
    if (name !== "" && !/[=\0]/.test(name) && !value.includes("\0")) continue;
    found.push({
      field: `${prefix}env`,
      description: `has a name or value that no process can have: ${JSON.stringify(name)}`,
    });
  }
  if (found.length > 0) throw invalidArgument(found);
}
