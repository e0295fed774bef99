import { constants } from "node:fs";
import { chmod, link, lstat, mkdir, open, rm, symlink } from "node:fs/promises";
import { join, resolve } from "node:path";
import { ErrorReason } from "@tidybox/protocol";
import type { TarHeader } from "modern-tar";
import { TidyboxError } from "../errors/tidybox-error.ts";
import type { SandboxHandle } from "../sandbox/handle.ts";
import { type DownloadOptions, ENTRY_REFUSED } from "./directory-options.ts";
import { entryPath, linkStaysInside } from "./entry-path.ts";
import { fileError } from "./file-failure.ts";

const DEFAULT_MAX_SIZE_BYTES = 4 * 1024 ** 3;
const MAX_ENTRIES = 1_000_000;

/** Permissions, without set-uid and the like: those are the sandbox's to give only inside of it. */
const MODE = 0o777;
const OWNER_ALL = 0o700;

interface Entry {
  readonly header: TarHeader;
  readonly body: AsyncIterable<Uint8Array> & { cancel?(reason?: unknown): Promise<void> };
}

/**
 * Makes the entries of an archive from an untrusted sandbox in a directory of this machine, and
 * nothing outside of it. Links are made last, so that no entry is written through one; those that
 * were there before are not followed either.
 */
export class Unpacking {
  readonly #handle: SandboxHandle;
  /** For messages. */
  readonly #path: string;
  readonly #root: string;
  readonly #options: DownloadOptions;
  readonly #files = new Set<string>();
  readonly #modes = new Map<string, number>();
  readonly #links = new Map<string, string>();
  #sizeBytes = 0;
  #entries = 0;

  constructor(handle: SandboxHandle, path: string, localPath: string, options: DownloadOptions) {
    this.#handle = handle;
    this.#path = path;
    this.#root = resolve(localPath);
    this.#options = options;
  }

  async start(): Promise<void> {
    await this.#local("", () => mkdir(this.#root, { recursive: true }));
  }

  async add({ header, body }: Entry): Promise<void> {
    this.#entries += 1;
    if (this.#entries > MAX_ENTRIES) {
      throw this.#refused(header.name, `is more than the ${MAX_ENTRIES} that one download takes`);
    }
    const path = entryPath(header.name);
    if (path === undefined) throw this.#refused(header.name, "is not below the directory");
    if (header.type !== "file" && header.type !== undefined) {
      for await (const _ of body);
    }
    await this.#local(path, () => this.#make(path, header, body));
  }

  /** Links, and the modes of directories, which may forbid to write in there. */
  async finish(): Promise<void> {
    for (const [path, target] of this.#links) {
      await this.#local(path, async () => {
        await this.#parents(path);
        await this.#clear(path);
        await symlink(target, join(this.#root, path));
      });
    }
    for (const [path, mode] of [...this.#modes].toReversed()) {
      await this.#local(path, () => chmod(join(this.#root, path), mode));
    }
  }

  async #make(path: string, header: TarHeader, body: Entry["body"]): Promise<void> {
    const { type = "file", mode = 0o644, linkname = "" } = header;
    if (type === "directory") {
      await this.#parents(`${path}/.`);
      if (path !== "") this.#modes.set(path, mode & MODE);
      return;
    }
    if (path === "") throw this.#refused(header.name, "is the directory itself, and not one");
    await this.#parents(path);
    switch (type) {
      case "file":
        return this.#file(path, mode & MODE, header.size, body);
      case "symlink":
        if (linkStaysInside(path, linkname)) this.#links.set(path, linkname);
        else if (this.#options.outsideLinks !== "skip") {
          throw this.#refused(header.name, `is a link out of the directory, to ${linkname}`);
        }
        return;
      case "link": {
        const other = entryPath(linkname);
        if (other === undefined || !this.#files.has(other)) {
          throw this.#refused(header.name, `is a second name of no file in there: ${linkname}`);
        }
        await this.#parents(other);
        await this.#clear(path);
        await link(join(this.#root, other), join(this.#root, path));
        this.#files.add(path);
        return;
      }
      default:
        throw this.#refused(
          header.name,
          `is a ${type}, and neither a file, a directory nor a link`,
        );
    }
  }

  async #file(path: string, mode: number, sizeBytes: number, body: Entry["body"]): Promise<void> {
    this.#sizeBytes += sizeBytes;
    const { maxSizeBytes = DEFAULT_MAX_SIZE_BYTES } = this.#options;
    if (this.#sizeBytes > maxSizeBytes) {
      throw fileError(
        this.#handle,
        "read",
        this.#path,
        ErrorReason.FILE_TOO_LARGE,
        `its files are more than ${maxSizeBytes} bytes; raise maxSizeBytes if you trust it with more`,
      );
    }
    await this.#clear(path);
    this.#links.delete(path);
    const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
    await using file = await open(
      join(this.#root, path),
      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
      0o600,
    );
    for await (const data of body) await file.writeFile(data);
    await file.chmod(mode);
    this.#files.add(path);
  }

  /** Makes the directories above, none of which may be a link. */
  async #parents(path: string): Promise<void> {
    const parts = path.split("/").slice(0, -1);
    for (let count = 1; count <= parts.length; count += 1) {
      const parent = parts.slice(0, count).join("/");
      const local = join(this.#root, parent);
      const found = await lstat(local).catch(() => undefined);
      if (found === undefined) await mkdir(local, { mode: 0o755 });
      else if (!found.isDirectory()) {
        throw this.#refused(path, `is below ${parent}, which is no directory here`);
      } else if ((found.mode & OWNER_ALL) !== OWNER_ALL) {
        this.#modes.set(parent, this.#modes.get(parent) ?? found.mode & MODE);
        await chmod(local, found.mode | OWNER_ALL);
      }
    }
  }

  /** A file is replaced and not written to: it may have another name elsewhere. */
  async #clear(path: string): Promise<void> {
    const local = join(this.#root, path);
    const found = await lstat(local).catch(() => undefined);
    if (found?.isDirectory() === true) throw this.#refused(path, "is a directory here");
    if (found !== undefined) await rm(local);
    this.#files.delete(path);
  }

  async #local(path: string, make: () => Promise<unknown>): Promise<void> {
    try {
      await make();
    } catch (error) {
      if (error instanceof TidyboxError || !(error instanceof Error && "syscall" in error)) {
        throw error;
      }
      const local = join(this.#root, path);
      throw fileError(
        this.#handle,
        "read",
        this.#path,
        ErrorReason.FILE_IO_FAILED,
        `${local}: ${error.message}`,
      );
    }
  }

  #refused(name: string, problem: string): Error {
    const shown = JSON.stringify(name.slice(0, 200));
    return fileError(
      this.#handle,
      "read",
      this.#path,
      ENTRY_REFUSED,
      `its entry ${shown} ${problem}`,
    );
  }
}
