import { mkdirSync } from "node:fs";
import { lstat, mkdir, realpath } from "node:fs/promises";
import { dirname, join, posix } from "node:path";
import { fileErrorFromErrno, SandboxFileError } from "../sandbox-file-error.ts";

/** What is private, by the names that file calls use. */
const PLACES: Readonly<Record<string, string>> = {
  "/workspace": "workspace",
  "/tmp": "tmp",
  "/root": "home",
};

/**
 * A sandbox's folders where there is no mount namespace: `/workspace`, `/tmp` and `/root` are
 * names for folders on the host. Commands see the real paths (in `HOME`, `TMPDIR` and their
 * working directory); file calls take either.
 */
export class PrivateFolders {
  readonly folder: string;
  readonly #workingDirectory: string;

  constructor(folder: string, workingDirectory: string) {
    this.folder = folder;
    this.#workingDirectory = workingDirectory;
  }

  get home(): string {
    return join(this.folder, "home");
  }

  get temporary(): string {
    return join(this.folder, "tmp");
  }

  get workspace(): string {
    return this.#translate(this.#workingDirectory) ?? join(this.folder, "workspace");
  }

  make(): void {
    mkdirSync(this.folder, { mode: 0o700 });
    for (const name of Object.values(PLACES)) mkdirSync(join(this.folder, name), { mode: 0o755 });
    mkdirSync(this.workspace, { recursive: true, mode: 0o755 });
  }

  covers(path: string): boolean {
    return this.#translate(path) !== undefined;
  }

  /**
   * Where a path of a file call lies on the host, its last component unresolved. Links are
   * refused: the check and the use that follows are two steps, between which a process of the
   * sandbox could make one; this engine does not keep the host's files from it anyway.
   */
  async locate(path: string, options: { readonly makeParents: boolean }): Promise<string> {
    const absolute = path.startsWith("/") ? path : `${this.#workingDirectory}/${path}`;
    const host = this.#translate(absolute);
    if (host === undefined) {
      const message = `${path}: the engine "process" has only /workspace, /tmp and /root of its own`;
      throw new SandboxFileError("permission_denied", message);
    }
    try {
      const root = await realpath(this.folder);
      // The nearest parent that exists must lie within; only then are missing ones made.
      let parent = dirname(host);
      while ((await lstat(parent).catch(() => undefined)) === undefined) parent = dirname(parent);
      const real = await realpath(parent);
      if (real !== root && !real.startsWith(`${root}/`)) throw linkRefused(path);
      if (options.makeParents) await mkdir(dirname(host), { recursive: true });
      if ((await lstat(host).catch(() => undefined))?.isSymbolicLink() === true)
        throw linkRefused(path);
      return host;
    } catch (error) {
      throw error instanceof SandboxFileError ? error : fileErrorFromErrno(error, path);
    }
  }

  /** Undefined for a path that is not private. */
  #translate(path: string): string | undefined {
    const normal = posix.normalize(path).replace(/(?<=.)\/$/, "");
    if (this.folder !== "/" && (normal === this.folder || normal.startsWith(`${this.folder}/`)))
      return normal;
    for (const [place, name] of Object.entries(PLACES)) {
      if (normal === place) return join(this.folder, name);
      if (normal.startsWith(`${place}/`))
        return join(this.folder, name, normal.slice(place.length));
    }
    return undefined;
  }
}

function linkRefused(path: string): SandboxFileError {
  const message = `${path}: a symbolic link is in the way, and the engine "process" follows none`;
  return new SandboxFileError("permission_denied", message);
}
