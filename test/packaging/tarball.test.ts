import { describe, expect, test } from "vitest";
import type { Manifest } from "../../scripts/workspace.ts";
import { workspaceRoot } from "../../scripts/workspace.ts";
import { findFlaws } from "./tarball.ts";

describe("a flawed tarball", () => {
  const sound = new Map([
    ["README.md", "# x"],
    ["LICENSE", "Apache"],
    ["dist/index.js", `import "node:fs"; import "valibot";`],
  ]);
  const manifest: Manifest = { name: "x", dependencies: { valibot: "1" } };

  test("is told from a sound one", () => {
    expect(findFlaws({ manifest, files: sound })).toEqual([]);
  });

  test.each([
    ["dist/session.test.js", "", "is a test"],
    ["src/index.ts", "", "is a source"],
    ["dist/index.js", `const here = "${workspaceRoot}/packages/x";`, "names /"],
    ["dist/index.js.map", `{"sources":["../../other/index.ts"]}`, "points out of the package"],
    ["dist/index.cjs", `const execa = require("execa");`, "imports execa"],
    ["dist/index.d.ts", `export type { A } from "@scope/types/deep";`, "imports @scope/types,"],
    ["README.md", " ", "README.md is missing"],
  ])("is found by %s", (path, text, flaw) => {
    const files = new Map([...sound, [path, text]]);
    expect(findFlaws({ manifest, files })).toEqual([expect.stringContaining(flaw)]);
  });
});
