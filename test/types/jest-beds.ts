import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { outsideEnvironment } from "../support/environment.ts";

/** Where a user's test file has `test` from. */
export type Style = "global" | "jest-globals" | "tidybox";

/** A folder outside the workspace with the packed packages and one source of Jest's types. */
export interface TypesBed {
  readonly name: string;
  readonly style: Style;
  readonly packages: Readonly<Record<string, string>>;
}

export const BEDS: readonly TypesBed[] = [
  { name: "@types/jest 29", style: "global", packages: { "@types/jest": "^29.5.0" } },
  { name: "@types/jest 30", style: "global", packages: { "@types/jest": "^30.0.0" } },
  { name: "@jest/globals 29.7", style: "jest-globals", packages: { "@jest/globals": "~29.7.0" } },
  { name: "@jest/globals 30", style: "jest-globals", packages: { "@jest/globals": "^30.0.0" } },
  { name: "no types of Jest", style: "tidybox", packages: {} },
];

export interface Layout {
  readonly name: string;
  readonly type: "commonjs" | "module";
  readonly compilerOptions: Readonly<Record<string, unknown>>;
}

export const LAYOUTS: readonly Layout[] = [
  { name: "CommonJS", type: "commonjs", compilerOptions: { module: "nodenext" } },
  { name: "ES modules", type: "module", compilerOptions: { module: "nodenext" } },
  {
    name: "a bundler",
    type: "module",
    compilerOptions: { module: "esnext", moduleResolution: "bundler" },
  },
];

const TYPES =
  'import type { CreateSandbox, Run, Sandbox, SandboxFixtures, Session, TestSandboxOptions } from "@tidybox/jest";\n' +
  'import { expectTypeOf } from "expect-type";\n';
const HOOKS = "beforeEach, afterEach, beforeAll, afterAll";

/** The files of a project, by what its test files import, and the `types` each is compiled with. */
const SUITES: Readonly<Record<Style, readonly Suite[]>> = {
  global: [
    { parts: ["variants", "focused", "matchers"], imports: "", types: ["jest"] },
    {
      parts: ["variants", "focused", "matchers", "hooks"],
      imports: '/// <reference types="@tidybox/jest/globals" />\n',
      types: ["jest"],
    },
    {
      parts: ["variants", "focused", "matchers", "hooks"],
      imports: "",
      types: ["@tidybox/jest/globals", "jest"],
      // There TypeScript takes what the configuration names for CommonJS, whose classes are others.
      except: "ES modules",
    },
  ],
  "jest-globals": [
    {
      parts: ["variants", "focused", "matchers", "hooks"],
      imports: `import { test, it, fit, xit, xtest, expect, ${HOOKS} } from "@jest/globals";\n`,
      types: [],
    },
  ],
  tidybox: [
    {
      parts: ["variants", "use", "hooks"],
      imports: `import { test, it, ${HOOKS} } from "@tidybox/jest";\n`,
      types: [],
    },
  ],
};

interface Suite {
  readonly parts: readonly string[];
  readonly imports: string;
  readonly types: readonly string[];
  /** The layout that cannot do it. */
  readonly except?: Layout["name"];
}

/** Installs a bed below `root` and answers its folder. */
export async function installTypesBed(
  root: string,
  bed: TypesBed,
  tarballs: Readonly<Record<string, string>>,
): Promise<string> {
  const directory = join(root, bed.name.replaceAll(/[^a-z0-9]+/g, "-"));
  const dependencies: Record<string, string> = {
    ...bed.packages,
    "@types/node": "^24.0.0",
    "expect-type": "^1.2.0",
  };
  for (const [name, path] of Object.entries(tarballs)) dependencies[name] = `file:${path}`;
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, "package.json"), JSON.stringify({ private: true, dependencies }));
  await execa(
    "npm",
    ["install", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"],
    {
      cwd: directory,
      env: outsideEnvironment(),
      extendEnv: false,
      timeout: 240_000,
      stdin: "ignore",
    },
  );
  return directory;
}

/** Writes one project for each suite of the bed's style; answers their folders. */
export async function writeProjects(
  bedDirectory: string,
  style: Style,
  layout: Layout,
): Promise<readonly string[]> {
  const suites = SUITES[style].filter(({ except }) => except !== layout.name);
  return Promise.all(
    suites.map(async ({ parts, imports, types }, index) => {
      const directory = join(bedDirectory, `${layout.name.replaceAll(" ", "-")}-${index}`);
      await mkdir(directory, { recursive: true });
      const sources = await Promise.all(parts.map(readPart));
      await writeFile(join(directory, "types.test.ts"), imports + TYPES + sources.join("\n"));
      await writeFile(join(directory, "package.json"), JSON.stringify({ type: layout.type }));
      await writeFile(
        join(directory, "tsconfig.json"),
        JSON.stringify({
          compilerOptions: {
            target: "es2022",
            strict: true,
            noEmit: true,
            skipLibCheck: true,
            ...layout.compilerOptions,
            types: ["node", ...types],
          },
        }),
      );
      return directory;
    }),
  );
}

function readPart(name: string): Promise<string> {
  return readFile(join(import.meta.dirname, `jest-${name}.fixture`), "utf8");
}
