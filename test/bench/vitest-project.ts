import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const NODE_MODULES = fileURLToPath(new URL("../../node_modules", import.meta.url));

/** A project of its own with the workspace's Vitest and packages, and with a cache folder of its own. */
export interface VitestProject extends AsyncDisposable {
  readonly folder: string;
  write(files: Readonly<Record<string, string>>): Promise<void>;
  readJson(name: string): Promise<unknown>;
  /** What earlier runs of the project have left for later ones. */
  forgetEarlierRuns(): Promise<void>;
  /** One run in a process of its own. @throws with its output where a test fails. */
  run(options?: VitestRunOptions): Promise<VitestRun>;
}

export interface VitestRunOptions {
  readonly env?: Readonly<Record<string, string>>;
}

/** When the process was spawned and when it had exited, in milliseconds since the epoch. */
export interface VitestRun {
  readonly spawnedAt: number;
  readonly exitedAt: number;
  readonly output: string;
}

/** Milliseconds since the epoch, finer than `Date.now()`; the same in all processes of a machine. */
export function epochNow(): number {
  return performance.timeOrigin + performance.now();
}

export async function makeVitestProject(
  files: Readonly<Record<string, string>>,
): Promise<VitestProject> {
  const folder = await mkdtemp(join(tmpdir(), "tidybox-bench-"));
  const modules = join(folder, "node_modules");
  await mkdir(modules);
  for (const name of await readdir(NODE_MODULES)) {
    if (!name.startsWith(".")) await symlink(join(NODE_MODULES, name), join(modules, name));
  }
  const write = async (more: Readonly<Record<string, string>>): Promise<void> => {
    for (const [name, text] of Object.entries(more)) await writeFile(join(folder, name), text);
  };
  await write({ "package.json": '{ "type": "module" }\n', ...files });
  return {
    folder,
    write,
    readJson: async (name) => JSON.parse(await readFile(join(folder, name), "utf8")),
    forgetEarlierRuns: () => rm(join(modules, ".cache"), { recursive: true, force: true }),
    run: (options) => runVitest(folder, options),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

function runVitest(folder: string, { env = {} }: VitestRunOptions = {}): Promise<VitestRun> {
  return new Promise((resolve, reject) => {
    const spawnedAt = epochNow();
    const child = spawn(process.execPath, [join(NODE_MODULES, "vitest/vitest.mjs"), "run"], {
      cwd: folder,
      env: {
        PATH: process.env["PATH"] ?? "",
        HOME: process.env["HOME"] ?? "",
        XDG_STATE_HOME: folder,
        NO_COLOR: "1",
        ...env,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.once("error", reject);
    child.once("exit", (code) => {
      if (code === 0) resolve({ spawnedAt, exitedAt: epochNow(), output });
      else reject(new Error(`Vitest ended with ${code} in ${folder}:\n${output}`));
    });
  });
}
