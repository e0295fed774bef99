import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { findProgram } from "../engines/find-program.ts";
import { spreadFolders } from "./spread-folders.ts";

describe("folders whose folders are spread over the disk", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "tidybox-test-spread-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const attributes = (path: string): string =>
    execFileSync("lsattr", ["-d", path], { encoding: "utf8" }).split(" ")[0] ?? "";

  test("are marked so on ext4, all of them, and what is made in them is not", async (context) => {
    if (statfsSync(folder).type !== 0xef53) context.skip("needs a temp folder on ext4");
    if (findProgram("lsattr") === undefined) context.skip("needs lsattr");
    const inner = join(folder, "inner");
    mkdirSync(inner);
    await spreadFolders([folder, inner]);
    mkdirSync(join(inner, "one"));
    expect(attributes(folder)).toContain("T");
    expect(attributes(inner)).toContain("T");
    expect(attributes(join(inner, "one"))).not.toContain("T");
  });

  test("are left as they are where that cannot be done", async () => {
    await spreadFolders([join(folder, "missing")]);
    await spreadFolders(["/proc/self"]);
  });
});
