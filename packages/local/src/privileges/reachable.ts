import { statSync } from "node:fs";
import { dirname } from "node:path";

const OTHERS_SEARCH = 0o1;
const OTHERS_READ = 0o4;

/** Whether an account that owns nothing can read a folder: every folder above lets others through. */
export function isReachableByOthers(folder: string): boolean {
  try {
    if ((statSync(folder).mode & OTHERS_READ) === 0) return false;
    for (let path = folder; ; path = dirname(path)) {
      if ((statSync(path).mode & OTHERS_SEARCH) === 0) return false;
      if (path === dirname(path)) return true;
    }
  } catch {
    return false;
  }
}
