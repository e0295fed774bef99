import { beforeAll, describe, expect, test } from "vitest";
import { runCommand, workspaceBinary } from "../../scripts/command.ts";
import type { Manifest } from "../../scripts/workspace.ts";
import { findPublicPackages, packAll } from "./pack.ts";
import { findFlaws, readTarball } from "./tarball.ts";

const packages = await findPublicPackages();
let tarballs: Readonly<Record<string, string>>;

beforeAll(async () => {
  tarballs = await packAll();
});

describe.each(packages.map(({ manifest }) => ({ name: manifest.name, manifest })))(
  "the tarball of $name",
  ({ name, manifest }) => {
    const tarball = (): string => tarballs[name] ?? "";

    test("holds what a user needs and nothing else", async () => {
      expect(findFlaws(await readTarball(tarball()))).toEqual([]);
    });

    test("passes publint", async () => {
      await expectToPass("publint", ["run", tarball(), "--strict"]);
    });

    test.runIf(isImportable(manifest))("has types that are right (attw)", async () => {
      const profile = isDual(manifest) ? "node16" : "esm-only";
      await expectToPass("attw", [
        tarball(),
        `--profile=${profile}`,
        "--format=ascii",
        "--no-emoji",
        "--no-color",
        // Would look for @types packages on the registry.
        "--no-definitely-typed",
      ]);
    });
  },
);

async function expectToPass(tool: string, args: readonly string[]): Promise<void> {
  const result = await runCommand(workspaceBinary(tool), args, { timeoutSeconds: 60 });
  expect(result.ok, `${tool}: ${result.problem}\n${result.output}`).toBe(true);
}

/** A package that is only a command has nothing to import. */
function isImportable(manifest: Manifest): boolean {
  return Object.keys(manifest.exports ?? {}).some((path) => path !== "./package.json");
}

function isDual(manifest: Manifest): boolean {
  return JSON.stringify(manifest.exports ?? {}).includes('"require"');
}
