import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runCommand } from "../../scripts/command.ts";
import { packAll } from "../packaging/pack.ts";

const NODE_MODULES = fileURLToPath(new URL("../../node_modules", import.meta.url));

/**
 * Projects with Jest and our packages as a user gets them: unpacked from tarballs, because Jest
 * transforms what lies outside of `node_modules` and would so measure Babel.
 */
export interface JestBed extends AsyncDisposable {
  project(files: Readonly<Record<string, string>>): Promise<JestProject>;
}

export interface JestProject {
  readonly folder: string;
  /** Runs Jest once and answers how many milliseconds its process took. */
  run(...args: readonly string[]): Promise<number>;
  /** The numbers that tests have written to that file, one to a line; it is gone afterwards. */
  takeNumbers(file: string): Promise<readonly number[]>;
}

export async function makeJestBed(): Promise<JestBed> {
  const root = await mkdtemp(join(tmpdir(), "tidybox-bench-"));
  const modules = join(root, "node_modules");
  await mkdir(join(modules, "@tidybox"), { recursive: true });
  for (const name of await readdir(NODE_MODULES)) {
    if (name !== "@tidybox" && name !== "tidybox" && !name.startsWith("."))
      await symlink(join(NODE_MODULES, name), join(modules, name));
  }
  for (const [name, tarball] of Object.entries(await packAll())) {
    const folder = join(modules, name);
    await mkdir(folder);
    const args = ["-xzf", tarball, "--strip-components=1", "-C", folder];
    const { ok, output } = await runCommand("tar", args, { timeoutSeconds: 60 });
    if (!ok) throw new Error(`tar ${args.join(" ")}: ${output}`);
  }
  return {
    project: (files) => makeProject(root, files),
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
  };
}

async function makeProject(
  root: string,
  files: Readonly<Record<string, string>>,
): Promise<JestProject> {
  const folder = await mkdtemp(join(root, "project-"));
  await writeFile(join(folder, "package.json"), "{}\n");
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return {
    folder,
    run: (...args) => runJest(folder, args),
    takeNumbers: async (file) => {
      const path = join(folder, file);
      const text = await readFile(path, "utf8");
      await rm(path);
      return text.split("\n").filter(Boolean).map(Number);
    },
  };
}

function runJest(folder: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const startedAt = performance.now();
    const child = spawn(
      process.execPath,
      // Each project with a cache of its own, or the first would fill it for the others.
      [
        join(NODE_MODULES, "jest/bin/jest.js"),
        `--cacheDirectory=${join(folder, ".cache")}`,
        ...args,
      ],
      {
        cwd: folder,
        env: {
          PATH: process.env["PATH"] ?? "",
          HOME: process.env["HOME"] ?? "",
          XDG_STATE_HOME: folder,
          NO_COLOR: "1",
        },
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.once("error", reject);
    child.once("exit", (code) => {
      if (code === 0) resolve(performance.now() - startedAt);
      else reject(new Error(`Jest ended with ${code}:\n${output}`));
    });
  });
}
