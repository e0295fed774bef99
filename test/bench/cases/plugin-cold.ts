import { spawn } from "node:child_process";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { sideBySide } from "../measure.ts";
import { type Result, describeSample } from "../report.ts";

const NODE_MODULES = fileURLToPath(new URL("../../../node_modules", import.meta.url));

const EMPTY = 'import { test } from "vitest";\ntest("nothing", () => {});\n';
const USING =
  'import { test } from "@tidybox/vitest";\ntest("one", async ({ sandbox }) => { await sandbox.exec(["true"]); });\n';
const BARE_CONFIG = "export default { test: {} };\n";
const PLUGIN_CONFIG =
  'import { tidybox } from "@tidybox/vitest/plugin";\nexport default { plugins: [tidybox()] };\n';

/** What the plugin adds to a suite of one empty file: whole processes, cold, side by side. */
export async function pluginCold(rounds: number): Promise<readonly Result[]> {
  const root = await mkdtemp(join(tmpdir(), "tidybox-bench-"));
  try {
    const project = async (name: string, config: string, test: string) => {
      const directory = await mkdtemp(join(root, `${name}-`));
      await symlink(NODE_MODULES, join(directory, "node_modules"));
      await writeFile(join(directory, "package.json"), '{ "type": "module" }\n');
      await writeFile(join(directory, "vitest.config.mjs"), config);
      await writeFile(join(directory, "a.test.js"), test);
      return directory;
    };
    const bare = await project("bare", BARE_CONFIG, EMPTY);
    const plugin = await project("plugin", PLUGIN_CONFIG, EMPTY);
    const using = await project("using", PLUGIN_CONFIG, USING);
    const samples = await sideBySide(
      [
        { name: "Vitest alone", once: () => vitest(bare) },
        { name: "with the plugin", once: () => vitest(plugin) },
        { name: "with the plugin, one test that uses a sandbox", once: () => vitest(using) },
      ],
      rounds,
      1,
    );
    const [alone, added, used] = samples;
    const difference = (added?.medianMs ?? Number.NaN) - (alone?.medianMs ?? Number.NaN);
    return [
      {
        name: "what the plugin adds to an otherwise empty suite of one file, cold",
        value: difference,
        unit: "ms",
        limit: 400,
        figures: [
          ...samples.map(describeSample),
          `a first sandbox adds ${((used?.medianMs ?? Number.NaN) - (added?.medianMs ?? Number.NaN)).toFixed(0)} ms more`,
        ],
        samples,
      },
    ];
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

function vitest(directory: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const startedAt = performance.now();
    const child = spawn(process.execPath, [join(NODE_MODULES, "vitest/vitest.mjs"), "run"], {
      cwd: directory,
      env: { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "", NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.once("exit", (code) => {
      if (code === 0) resolve(performance.now() - startedAt);
      else reject(new Error(`Vitest ended with ${code}:\n${output}`));
    });
  });
}
