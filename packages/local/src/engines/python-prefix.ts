import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";

/** Shims of version managers start a shell or two before they answer. */
const ANSWER_SECONDS = 5;

/**
 * The folder below which an installed python3 has its programs and its library. Looked up without
 * running it wherever that is certain: a pyenv shim alone takes 150 ms to answer, and this is on
 * the way of every start.
 */
export async function pythonPrefix(program: string): Promise<string | undefined> {
  return prefixByLandmark(pyenvInterpreter(program) ?? program) ?? (await askPython(program));
}

/** As python itself finds it: a standard library beside the folder of its program. */
function prefixByLandmark(program: string): string | undefined {
  const bin = dirname(realpathSync(program));
  if (basename(bin) !== "bin") return undefined;
  const prefix = dirname(bin);
  const hasLibrary = names(join(prefix, "lib")).some(
    (name) => /^python3\.\d+$/.test(name) && existsSync(join(prefix, "lib", name, "os.py")),
  );
  return hasLibrary ? prefix : undefined;
}

/** What a pyenv shim would run; undefined where only pyenv can tell. */
function pyenvInterpreter(shim: string): string | undefined {
  const shims = dirname(shim);
  if (basename(shims) !== "shims") return undefined;
  const root = process.env["PYENV_ROOT"] ?? dirname(shims);
  const version = process.env["PYENV_VERSION"] ?? localVersion() ?? text(join(root, "version"));
  // Several versions, a range, "system": leave it to pyenv.
  if (version === undefined || !/^[\w.-]+$/.test(version)) return undefined;
  const program = join(root, "versions", version, "bin/python3");
  return existsSync(program) ? program : undefined;
}

function localVersion(): string | undefined {
  const start = process.env["PYENV_DIR"] ?? process.cwd();
  for (let folder = start; ; folder = dirname(folder)) {
    const version = text(join(folder, ".python-version"));
    if (version !== undefined || folder === dirname(folder)) return version;
  }
}

async function askPython(program: string): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)(
      program,
      ["-I", "-c", "import sys; print(sys.base_prefix)"],
      { timeout: ANSWER_SECONDS * 1000 },
    );
    return realpathSync(stdout.trim());
  } catch {
    // A shim with no version behind it: sandboxes then have the system's python or none, as here.
    return undefined;
  }
}

function text(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return undefined;
  }
}

function names(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
