import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findProgram } from "../find-program.ts";
import { VolumeArchiveError } from "../volume-archive-error.ts";
import { ContainedTar } from "./contained-tar.ts";

const MEBIBYTE = 1024 * 1024;
const bwrap = findProgram("bwrap");
let folder: string;

beforeEach((context) => {
  if (bwrap === undefined) context.skip("needs bubblewrap");
  folder = mkdtempSync(join(tmpdir(), "contained-tar-"));
  mkdirSync(join(folder, "volume"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const create = (volume: string, maxBytes = MEBIBYTE) =>
  new ContainedTar(bwrap ?? "").create(join(folder, volume), join(folder, "a.tar"), {
    maxBytes,
    signal: new AbortController().signal,
  });

test("an archive that was never written is no archive, though the code is that of changed files", async () => {
  await expect(create("missing")).rejects.toMatchObject({
    kind: "failed",
    message: expect.stringContaining("code 1: bwrap:"),
  });
});

test("is no larger than it may be", async () => {
  writeFileSync(join(folder, "volume", "large"), Buffer.alloc(2 * MEBIBYTE, "x"));
  const archiving = create("volume");
  await expect(archiving).rejects.toThrow(VolumeArchiveError);
  await expect(archiving).rejects.toMatchObject({ kind: "size_exceeded" });
});

test("unpacks nothing through a link that the same archive brings", async () => {
  // As a sandbox could write it by hand: first a link, then a file below it.
  const tar = (...args: string[]) => execFileSync("tar", ["-C", join(folder, "volume"), ...args]);
  symlinkSync(folder, join(folder, "volume", "out"));
  tar("-cf", join(folder, "a.tar"), "out");
  rmSync(join(folder, "volume", "out"));
  mkdirSync(join(folder, "volume", "out"));
  writeFileSync(join(folder, "volume", "out", "escaped"), "");
  tar("-rf", join(folder, "a.tar"), "out/escaped");
  mkdirSync(join(folder, "target"));
  await new ContainedTar(bwrap ?? "")
    .extract(join(folder, "a.tar"), join(folder, "target"), new AbortController().signal)
    .catch(() => {});
  expect(existsSync(join(folder, "escaped"))).toBe(false);
});
