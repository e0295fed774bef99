import { accessSync, constants, statSync } from "node:fs";
import { delimiter, resolve } from "node:path";

/**
 * Why a shell could not execute a program, in its words; undefined when it could, as far as can be
 * seen. `searchPath` is its PATH, `folder` where it is.
 */
export function missingProgram(
  program: string,
  searchPath: string,
  folder: string,
): string | undefined {
  const places = program.includes("/")
    ? [resolve(folder, program)]
    : searchPath.split(delimiter).map((place) => resolve(folder, place, program));
  let denied = false;
  for (const place of places) {
    try {
      accessSync(place, constants.X_OK);
      if (statSync(place).isFile()) return undefined;
      denied = true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      denied ||= code !== "ENOENT" && code !== "ENOTDIR";
    }
  }
  return `${program}: ${denied ? "permission denied" : "not found"}`;
}
