import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, inject, test } from "vitest";
import { makeProject } from "../support/bed.ts";

const SOURCES = ["public-types", "client-types"] as const;
const TSC = join(import.meta.dirname, "../../node_modules/typescript7/bin/tsc");

const TSCONFIG = {
  compilerOptions: {
    target: "es2023",
    lib: ["es2023", "esnext.disposable"],
    module: "nodenext",
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
  },
  include: ["*.ts"],
};

describe.each(inject("beds"))("Vitest $version", (bed) => {
  test.for(SOURCES)(
    "the packed %s infer what they should, and refuse what is wrong",
    async (name) => {
      const source = await readFile(join(import.meta.dirname, `${name}.fixture`), "utf8");
      await using project = await makeProject(bed, {
        "types.ts": source,
        "tsconfig.json": JSON.stringify(TSCONFIG),
      });
      const { stdout, exitCode } = await execa(process.execPath, [TSC, "-p", "."], {
        cwd: project.directory,
        reject: false,
      });
      expect(stdout).toBe("");
      expect(exitCode).toBe(0);
    },
  );
});
