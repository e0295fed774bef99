import { ConfigurationError } from "../errors/request-errors.ts";

/** For an option that was checked before anything was sent. `problem` goes on: "must be …". */
export function invalidOption(
  option: string,
  problem: string,
  advice?: string,
): ConfigurationError {
  return new ConfigurationError({ message: `Option ${option} ${problem}.`, advice });
}
