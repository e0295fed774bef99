import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { pythonPrefix } from "./python-prefix.ts";

let root: string;
let shim: string;
beforeEach(() => {
  root = realpathSync(mkdtempSync("/tmp/local-test-pyenv-"));
  shim = join(root, "shims/python3");
  script(shim, `touch ${root}/asked; echo ${root}/versions/3.10.1`);
  for (const version of ["3.10.1", "3.11.7"]) install(version);
  writeFileSync(join(root, "version"), "3.11.7\n");
  vi.stubEnv("PYENV_ROOT", root);
  vi.stubEnv("PYENV_DIR", root);
  vi.stubEnv("PYENV_VERSION", undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true });
});

function script(path: string, text: string): void {
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
}

function install(version: string): void {
  const prefix = join(root, "versions", version);
  const name = `python${version.split(".").slice(0, 2).join(".")}`;
  script(join(prefix, "bin", name), "exit 1");
  symlinkSync(name, join(prefix, "bin/python3"));
  mkdirSync(join(prefix, "lib", name), { recursive: true });
  writeFileSync(join(prefix, "lib", name, "os.py"), "");
}

const asked = () => existsSync(join(root, "asked"));

test("finds what a pyenv shim stands for without running it", async () => {
  expect(await pythonPrefix(shim)).toBe(join(root, "versions/3.11.7"));
  writeFileSync(join(root, ".python-version"), "3.10.1\n");
  expect(await pythonPrefix(shim)).toBe(join(root, "versions/3.10.1"));
  vi.stubEnv("PYENV_VERSION", "3.11.7");
  expect(await pythonPrefix(shim)).toBe(join(root, "versions/3.11.7"));
  expect(asked()).toBe(false);
});

test("follows links out of a virtual environment to the python behind it", async () => {
  mkdirSync(join(root, "venv/bin"), { recursive: true });
  symlinkSync(join(root, "versions/3.11.7/bin/python3"), join(root, "venv/bin/python3"));
  expect(await pythonPrefix(join(root, "venv/bin/python3"))).toBe(join(root, "versions/3.11.7"));
});

test.each(["3.10.1\n3.11.7\n", "3.1\n", "system\n"])(
  "asks the shim about version %j",
  async (text) => {
    writeFileSync(join(root, "version"), text);
    expect(await pythonPrefix(shim)).toBe(join(root, "versions/3.10.1"));
    expect(asked()).toBe(true);
  },
);

test("asks a python whose library lies elsewhere, and does without one that fails", async () => {
  rmSync(join(root, "versions/3.11.7/lib"), { recursive: true });
  const program = join(root, "versions/3.11.7/bin/python3.11");
  expect(await pythonPrefix(program)).toBeUndefined();
  script(program, `echo ${root}`);
  expect(await pythonPrefix(program)).toBe(root);
});
