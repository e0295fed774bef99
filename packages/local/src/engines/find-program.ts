import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Where system programs lie even when a service manager started us with a short PATH. */
const USUAL = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"];

/**
 * PATH without the folders that this account cannot search: through them a missing program would
 * be "permission denied" (126) instead of "not found" (127).
 */
export function searchPath(): string {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), ...USUAL];
  return [...new Set(folders)]
    .filter((folder) => folder.startsWith("/") && isSearchable(folder))
    .join(delimiter);
}

function isSearchable(folder: string): boolean {
  try {
    accessSync(folder, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Absolute path of a program of the host, or undefined. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), ...USUAL];
  for (const folder of folders) {
    if (!folder.startsWith("/")) continue;
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not here.
    }
  }
  return undefined;
}
