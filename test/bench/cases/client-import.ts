import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { sideBySide } from "../measure.ts";
import { describeSample, type Result } from "../report.ts";

const NODE_MODULES = fileURLToPath(new URL("../../../node_modules", import.meta.url));

const PROGRAMS = {
  "an empty program": "",
  "connect-node and protobuf alone":
    'import "@bufbuild/protobuf"; import "@connectrpc/connect"; import "@connectrpc/connect-node";',
  "@tidybox/client": 'import { Sandbox } from "@tidybox/client"; if (!Sandbox) throw new Error();',
  "@tidybox/client with what its first call loads":
    'import { preloadWire } from "@tidybox/client/internal"; import "@tidybox/client"; await preloadWire();',
} as const;

/** Importing the client, against importing the libraries that it stands on; whole processes. */
export async function clientImport(rounds: number): Promise<readonly Result[]> {
  const root = await mkdtemp(join(tmpdir(), "tidybox-bench-"));
  try {
    await symlink(NODE_MODULES, join(root, "node_modules"));
    const contenders = await Promise.all(
      Object.entries(PROGRAMS).map(async ([name, text], index) => {
        const file = join(root, `${index}.mjs`);
        await writeFile(file, text);
        return { name, once: () => run(file) };
      }),
    );
    const samples = await sideBySide(contenders, rounds, 1);
    const [empty, alone, client] = samples.map(({ medianMs }) => medianMs);
    const over = (median = Number.NaN): number => median - (empty ?? Number.NaN);
    return [
      {
        name: "import of the client, against connect-node and protobuf alone (over an empty program)",
        value: over(client) / over(alone),
        unit: "×",
        limit: 1.3,
        figures: samples.map(describeSample),
        samples,
      },
    ];
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function run(file: string): Promise<number> {
  const startedAt = performance.now();
  const child = spawn(process.execPath, [file], { stdio: ["ignore", "ignore", "inherit"] });
  const [code] = (await once(child, "exit")) as [number | null];
  if (code !== 0) throw new Error(`${file} ended with ${code}`);
  return performance.now() - startedAt;
}
