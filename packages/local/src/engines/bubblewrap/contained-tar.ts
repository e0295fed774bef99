import { spawn } from "node:child_process";
import { once } from "node:events";
import { type FileHandle, open } from "node:fs/promises";
import { VolumeArchiveError } from "../volume-archive-error.ts";
import { checkArchive, SAID_BYTES } from "./archive-outcome.ts";
import { hostRootArguments } from "./host-root.ts";

const BLOCK_BYTES = 512;

/** Of `[`; bwrap itself would say the same, and then the folder is unpacked once more, no worse. */
const NOT_PLAIN = 1;

/** tar writes so much at once. */
const RECORD_BYTES = 20 * BLOCK_BYTES;

/**
 * tar over a folder that sandboxes have filled, or with an archive whose content is theirs, on the
 * host's programs but in a mount namespace that has nothing else: a link, or a flaw of tar, leads
 * nowhere. It may read and write what a sandbox has closed with `chmod 000`.
 */
export class ContainedTar {
  readonly #bwrap: string;

  constructor(bwrap: string) {
    this.#bwrap = bwrap;
  }

  /**
   * Throws VolumeArchiveError, also when the archive would be larger. `file` must be new. `entry` are
   * words that lead to where the folder is seen, and become the command behind them.
   */
  async create(
    folder: string,
    file: string,
    { maxBytes, signal }: { readonly maxBytes: number; readonly signal: AbortSignal },
    entry: readonly string[] = [],
  ): Promise<void> {
    const archive = await open(file, "wx+", 0o600);
    // A shell's limit on what one file may become, which here is the archive.
    const blocks = String(Math.ceil(maxBytes / BLOCK_BYTES));
    try {
      const { code, said } = await this.#run({
        volume: ["--ro-bind", folder, "/volume"],
        script: 'ulimit -f "$0" && exec tar "$@"',
        words: [blocks, "--create", "--file=-", "--sparse", "."],
        stdio: ["ignore", archive.fd],
        signal,
        entry,
      });
      const { size } = await archive.stat();
      if (code !== 0 && size + RECORD_BYTES > maxBytes) {
        const message = `the archive is larger than ${maxBytes} bytes`;
        throw new VolumeArchiveError("size_exceeded", message);
      }
      await checkArchive(archive, code, said);
    } finally {
      await archive.close();
    }
  }

  /** Into an empty folder. Throws VolumeArchiveError. */
  async extract(file: string, folder: string, signal: AbortSignal): Promise<void> {
    const archive: FileHandle = await open(file, "r");
    try {
      const { code, said } = await this.#run({
        volume: ["--bind", folder, "/volume"],
        script: 'exec "$0" "$@"',
        words: [
          "tar",
          "--extract",
          "--file=-",
          "--preserve-permissions",
          "--no-same-owner",
          "--delay-directory-restore",
        ],
        stdio: [archive.fd, "ignore"],
        signal,
      });
      if (code !== 0)
        throw new VolumeArchiveError("failed", `tar ended with code ${code}: ${said}`);
    } finally {
      await archive.close();
    }
  }

  /**
   * Whether there is nothing in a folder that an overlay over it would not show as it is: names of
   * one file would become files of their own with the first change, and its own marks of what was
   * deleted any account may make. Throws VolumeArchiveError.
   */
  async isPlain(folder: string, signal: AbortSignal): Promise<boolean> {
    const { code, said } = await this.#run({
      volume: ["--ro-bind", folder, "/volume"],
      script: 'found=$("$0" "$@") || exit 2; [ -z "$found" ]',
      words: [
        ...["find", ".", "!", "-type", "d"],
        ...["(", "-links", "+1", "-o", "-type", "c", ")", "-print", "-quit"],
      ],
      stdio: ["ignore", "ignore"],
      signal,
    });
    if (code !== 0 && code !== NOT_PLAIN)
      throw new VolumeArchiveError("failed", `find ended with code ${code}: ${said}`);
    return code === 0;
  }

  async #run(task: {
    readonly volume: readonly string[];
    readonly script: string;
    readonly words: readonly string[];
    readonly stdio: readonly ["ignore" | number, "ignore" | number];
    readonly signal: AbortSignal;
    readonly entry?: readonly string[];
  }): Promise<{ readonly code: number; readonly said: string }> {
    task.signal.throwIfAborted();
    const [program, ...words] = [...(task.entry ?? []), this.#bwrap];
    const child = spawn(
      program ?? "",
      [
        ...words,
        ...["--unshare-all", "--uid", "0", "--gid", "0", "--die-with-parent", "--new-session"],
        ...["--cap-drop", "ALL", "--cap-add", "CAP_DAC_OVERRIDE", "--cap-add", "CAP_FOWNER"],
        ...["--clearenv", "--setenv", "PATH", "/usr/bin:/bin", "--setenv", "LC_ALL", "C"],
        ...hostRootArguments(),
        ...task.volume,
        ...["--chdir", "/volume", "--", "/bin/sh", "-c", task.script, ...task.words],
      ],
      // Nothing of the service's own environment: there may be secrets in it.
      { cwd: "/", env: {}, stdio: [...task.stdio, "pipe"] },
    );
    let said = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(0, SAID_BYTES);
    });
    const kill = (): void => void child.kill("SIGKILL");
    task.signal.addEventListener("abort", kill);
    try {
      const [code] = (await once(child, "close")) as [number | null];
      task.signal.throwIfAborted();
      return { code: code ?? -1, said: said.trim() };
    } finally {
      task.signal.removeEventListener("abort", kill);
    }
  }
}
