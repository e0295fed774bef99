import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { packAll } from "../packaging/pack.ts";
import { BEDS, LAYOUTS, installTypesBed, writeProjects } from "./jest-beds.ts";

const MODULES = join(import.meta.dirname, "../../node_modules");
const COMPILERS = [
  { compiler: "6", tsc: join(MODULES, "typescript/bin/tsc6") },
  { compiler: "7", tsc: join(MODULES, "typescript7/bin/tsc") },
];

describe.each(BEDS)("with $name", (bed) => {
  let root: string;
  let directory: string;

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "tidybox-types-"));
    directory = await installTypesBed(root, bed, await packAll());
  }, 300_000);

  afterAll(() => rm(root, { recursive: true, force: true, maxRetries: 3 }));

  describe.each(LAYOUTS)("in $name", (layout) => {
    test.each(COMPILERS)(
      "TypeScript $compiler infers fixtures in every variant, and refuses what is wrong",
      async ({ tsc }) => {
        for (const project of await writeProjects(directory, bed.style, layout)) {
          const { stdout, exitCode } = await execa(process.execPath, [tsc, "-p", "."], {
            cwd: project,
            reject: false,
          });
          expect(stdout).toBe("");
          expect(exitCode).toBe(0);
        }
      },
    );
  });
});
