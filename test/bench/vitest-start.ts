import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const NODE_MODULES = fileURLToPath(new URL("../../node_modules", import.meta.url));

const FILES: Readonly<Record<string, string>> = {
  "package.json": '{ "type": "module" }\n',
  "a.test.js": 'import { test } from "vitest";\ntest("nothing", () => {});\n',
  "vitest.config.mjs": `export default {
    plugins: [{ name: "clock", configureVitest() { globalThis.pluginAt = performance.now(); } }],
    test: { globalSetup: ["./setup.mjs"] },
  };\n`,
  "setup.mjs": `import { writeFileSync } from "node:fs";
    export default () => writeFileSync("took.txt", String(performance.now() - globalThis.pluginAt));\n`,
};

/** Milliseconds from Vitest's call of a plugin to that of the global setup: what a helper that the plugin starts has for nothing. */
export async function pluginToGlobalSetup(): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), "tidybox-bench-"));
  try {
    await symlink(NODE_MODULES, join(directory, "node_modules"));
    for (const [name, text] of Object.entries(FILES)) await writeFile(join(directory, name), text);
    await new Promise<void>((resolve, reject) => {
      const child = spawn(process.execPath, [join(NODE_MODULES, "vitest/vitest.mjs"), "run"], {
        cwd: directory,
        env: { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "", NO_COLOR: "1" },
        stdio: "ignore",
      });
      child.once("exit", (code) =>
        code === 0 ? resolve() : reject(new Error(`Vitest ended with ${code}`)),
      );
    });
    return Number(await readFile(join(directory, "took.txt"), "utf8"));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
