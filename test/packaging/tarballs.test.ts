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

    test.each(typedEntries(manifest))("has types that are right for $profile", async (entries) => {
      await expectToPass("attw", [
        tarball(),
        `--profile=${entries.profile}`,
        "--format=ascii",
        "--no-emoji",
        "--no-color",
        // Would look for @types packages on the registry.
        "--no-definitely-typed",
        "--entrypoints",
        ...entries.paths,
      ]);
    });
  },
);

async function expectToPass(tool: string, args: readonly string[]): Promise<void> {
  const result = await runCommand(workspaceBinary(tool), args, { timeoutSeconds: 60 });
  expect(result.ok, `${tool}: ${result.problem}\n${result.output}`).toBe(true);
}

/**
 * The entry points of a package by what they promise: `require` and `import`, or `import` alone.
 * A package that is only a command has none.
 */
function typedEntries(
  manifest: Manifest,
): readonly { readonly profile: "node16" | "esm-only"; readonly paths: readonly string[] }[] {
  // What is exported as a bare path is a program (or package.json): started, not imported.
  const entries = Object.entries(manifest.exports ?? {}).filter(
    ([, target]) => typeof target === "object",
  );
  const isDual = ([, target]: [string, unknown]): boolean =>
    typeof target === "object" && target !== null && "require" in target;
  const dual = entries.filter(isDual).map(([path]) => path);
  const esmOnly = entries.filter((entry) => !isDual(entry)).map(([path]) => path);
  return [
    { profile: "node16" as const, paths: dual },
    { profile: "esm-only" as const, paths: esmOnly },
  ].filter(({ paths }) => paths.length > 0);
}
