import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Launch, ModuleSystem } from "./cells.ts";
import { SUITES } from "./suites.ts";
import type { Transpiler } from "./transpilers.ts";

/** Writes a folder with one Jest project for each transpiler, and all suites in each. */
export async function writeProject(directory: string, launch: Launch): Promise<void> {
  const { modules, transpilers } = launch;
  await mkdir(directory, { recursive: true });
  await writeFile(
    join(directory, "package.json"),
    JSON.stringify({ type: modules === "esm" ? "module" : "commonjs" }),
  );
  for (const transpiler of transpilers) {
    const folder = join(directory, folderOf(transpiler));
    await mkdir(folder);
    for (const { name } of SUITES) {
      const source = await readFile(join(import.meta.dirname, "suites", `${name}.js`), "utf8");
      await writeFile(
        join(folder, `${name}.test.${transpiler.extension}`),
        transpiler.transform === undefined && modules === "cjs" ? withRequire(source) : source,
      );
    }
  }
  await writeFile(
    join(directory, "jest.config.json"),
    JSON.stringify(
      {
        workerThreads: launch.pool === "workerThreads",
        cacheDirectory: join(directory, "cache"),
        // Room for sandboxes on a busy machine; the suites about timeouts bring their own.
        testTimeout: 30_000,
        projects: transpilers.map((transpiler) => project(directory, transpiler, modules)),
      },
      undefined,
      2,
    ),
  );
}

export function folderOf({ name }: Transpiler): string {
  return name.replaceAll(" ", "-");
}

function project(directory: string, transpiler: Transpiler, modules: ModuleSystem): object {
  const transform = transpiler.transform?.(modules);
  return {
    displayName: transpiler.name,
    preset: "@tidybox/jest",
    // All from one root, so that the account's paths tell the projects apart.
    testMatch: [`<rootDir>/${folderOf(transpiler)}/*.test.${transpiler.extension}`],
    cacheDirectory: join(directory, "cache"),
    transform: transform === undefined ? {} : { "\\.[jt]s$": transform },
    ...(modules === "esm" && transpiler.extension === "ts"
      ? { extensionsToTreatAsEsm: [".ts"] }
      : {}),
    globals: { transpiled: { sample: transpiler.sample } },
    testEnvironmentOptions: {
      // Not ahead of the tests: each sandbox of the account is then one that a test asked for.
      tidybox: { backend: "local", warm: false, report: join(directory, "account.json") },
    },
  };
}

/** The suites' named imports as a CommonJS module without a transpiler would write them. */
function withRequire(source: string): string {
  // Jest hands `jest` to each CommonJS module as a parameter.
  return source
    .replace('import { jest } from "@jest/globals";\n', "")
    .replaceAll(
      /^import (\{[^}]*\}) from ("[^"]+");$/gm,
      (_match, names: string, from: string) =>
        `const ${names.replaceAll(" as ", ": ")} = require(${from});`,
    );
}
