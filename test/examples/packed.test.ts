import { existsSync } from "node:fs";
import { cp, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { expect, inject, test } from "vitest";
import { packAll } from "../packaging/pack.ts";
import { outsideEnvironment } from "../support/environment.ts";

const EXAMPLES = join(import.meta.dirname, "../../examples");
const TSC = join(import.meta.dirname, "../../node_modules/typescript7/bin/tsc");

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** Recipes to copy from, such as those of `examples/ci`, are no projects. */
const projects = (await readdir(EXAMPLES)).filter((name) =>
  existsSync(join(EXAMPLES, name, "package.json")),
);

/** As a user who has copied the folder would have it: outside the workspace, from the tarballs. */
test.each(projects)(
  "%s passes and type-checks, copied out and installed from tarballs",
  async (name) => {
    // The beds are not used, but npm's cache is filled by their installs: one at a time.
    expect(inject("beds").length).toBeGreaterThan(0);
    const folder = await mkdtemp(join(tmpdir(), "tidybox-example-"));
    try {
      await cp(join(EXAMPLES, name), folder, {
        recursive: true,
        filter: (source) => !source.endsWith("node_modules"),
      });
      const path = join(folder, "package.json");
      const manifest = JSON.parse(await readFile(path, "utf8")) as Manifest;
      const tarballs = Object.entries(await packAll()).map(([pkg, tarball]) => [
        pkg,
        `file:${tarball}`,
      ]);
      const overridden = {
        ...manifest,
        dependencies: { ...manifest.dependencies, ...Object.fromEntries(tarballs) },
      };
      const { devDependencies, ...rest } = overridden as Manifest & {
        devDependencies?: Record<string, string>;
      };
      const dev = Object.fromEntries(
        Object.entries(devDependencies ?? {}).filter(([pkg]) => !pkg.startsWith("@tidybox/")),
      );
      await writeFile(path, JSON.stringify({ ...rest, devDependencies: dev }, undefined, 2));
      const options = {
        cwd: folder,
        env: outsideEnvironment({ CI: "1", NO_COLOR: "1" }),
        extendEnv: false,
        reject: false,
        all: true,
      } as const;
      const install = await execa(
        "npm",
        ["install", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"],
        options,
      );
      expect(install.exitCode, install.all).toBe(0);
      const types = await execa(process.execPath, [TSC, "--noEmit", "-p", "."], options);
      expect(types.all).toBe("");
      const suite = await execa("npm", ["test", "--silent"], { ...options, timeout: 220_000 });
      expect(suite.exitCode, suite.all).toBe(0);
      // Of Vitest's suite and of Jest's.
      expect(suite.all.match(/tidybox {2}run .*, 0 left/g)).toHaveLength(2);
    } finally {
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    }
  },
  400_000,
);
