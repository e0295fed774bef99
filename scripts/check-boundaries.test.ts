import { join } from "node:path";
import { expect, test } from "vitest";
import { checkBoundaries, findViolations } from "./check-boundaries.ts";
import type { WorkspacePackage } from "./workspace.ts";
import { workspaceRoot } from "./workspace.ts";

const client: WorkspacePackage = {
  folder: join(workspaceRoot, "packages", "client"),
  manifest: { name: "@tidybox/client", dependencies: { "@tidybox/protocol": "0.1.0" } },
};

function violationsOf(text: string, file = "session.ts", pkg = client): readonly string[] {
  return findViolations(pkg, [{ path: join(pkg.folder, "src", file), text }]);
}

test("the workspace keeps its own map", async () => {
  expect(await checkBoundaries()).toEqual([]);
});

test("arrows that point down and are declared pass", () => {
  expect(violationsOf(`import { x } from "@tidybox/protocol"; import "./errors.ts";`)).toEqual([]);
});

test.each([
  ["a static import", `import { run } from "@tidybox/fixtures";`],
  ["a type import", `import type { Run } from "@tidybox/fixtures";`],
  ["a re-export", `export { run } from "@tidybox/fixtures";`],
  ["a subpath", `import { run } from "@tidybox/fixtures/deep/inside";`],
  ["a dynamic import", `const run = await import("@tidybox/fixtures");`],
  ["a type of a dynamic import", `let run: import("@tidybox/fixtures").Run;`],
  ["require", `const run = require("@tidybox/fixtures");`],
])("an arrow that points up is found in %s", (_kind, text) => {
  expect(violationsOf(text)).toEqual([
    expect.stringMatching(
      /session\.ts imports @tidybox\/fixtures.*may import only @tidybox\/protocol/,
    ),
  ]);
});

test("an import that package.json does not declare is found", () => {
  const undeclared = { ...client, manifest: { name: "@tidybox/client" } };
  expect(violationsOf(`import "@tidybox/protocol";`, "session.ts", undeclared)).toEqual([
    expect.stringContaining("add @tidybox/protocol to its package.json"),
  ]);
});

test("a relative path into another package is found, in tests too", () => {
  const text = `import { x } from "../../protocol/src/index.ts";`;
  expect(violationsOf(text)).toHaveLength(1);
  expect(violationsOf(text, "session.test.ts")).toHaveLength(1);
});

test("tests may import any package by name", () => {
  expect(violationsOf(`import "@tidybox/local";`, "session.test.ts")).toEqual([]);
  expect(violationsOf(`import "@tidybox/local";`, join("test-support", "server.ts"))).toEqual([]);
});

test("a package without an entry in the map is found", () => {
  const stranger = { folder: join(workspaceRoot, "packages", "new"), manifest: { name: "new" } };
  expect(violationsOf("", "index.ts", stranger)).toEqual([
    expect.stringContaining("new has no entry"),
  ]);
});
