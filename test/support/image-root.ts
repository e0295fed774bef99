import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** The directory of an unpacked image with nothing but some programs of busybox in it. */
export function busyboxImage(programs: readonly string[]): string {
  const root = emptyImage();
  mkdirSync(join(root, "usr/bin"));
  symlinkSync("usr/bin", join(root, "bin"));
  copyFileSync("/bin/busybox", join(root, "usr/bin/busybox"));
  for (const name of programs) symlinkSync("busybox", join(root, "usr/bin", name));
  return root;
}

/** One in which no command can run. */
export function emptyImage(): string {
  const root = mkdtempSync("/tmp/tidybox-test-image-");
  onTestFinished(() => rmSync(root, { recursive: true }));
  chmodSync(root, 0o755);
  mkdirSync(join(root, "usr"));
  return root;
}
