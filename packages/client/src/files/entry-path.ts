import { posix } from "node:path";

/**
 * The path of an archive's entry below its folder, without `./` and a `/` at the end; "" for the
 * folder itself. Undefined for a name that leads out of it, or that no file can have.
 */
export function entryPath(name: string): string | undefined {
  if (name.startsWith("/") || name.includes("\0") || name === "") return undefined;
  // Where it separates, it would hide the parts from the checks here.
  if (process.platform === "win32" && /[\\:]/.test(name)) return undefined;
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  return parts.includes("..") ? undefined : parts.join("/");
}

/**
 * Whether a link at `path` leads to somewhere in the folder, through whatever other links that pass
 * this test: it goes up first and no higher than the folder, and then only down.
 */
export function linkStaysInside(path: string, target: string): boolean {
  if (target === "" || target.startsWith("/") || target.includes("\0")) return false;
  if (process.platform === "win32" && /[\\:]/.test(target)) return false;
  const parts = target.split("/").filter((part) => part !== "" && part !== ".");
  const down = parts.findIndex((part) => part !== "..");
  const up = down === -1 ? parts.length : down;
  if (parts.slice(up).includes("..")) return false;
  const depth = posix.dirname(path) === "." ? 0 : posix.dirname(path).split("/").length;
  return up <= depth;
}
