import type { ReadableStream } from "node:stream/web";
import type { Sandbox as SandboxRecord } from "@tidybox/protocol";
import { sharedConnection } from "../connection/shared-connection.ts";
import type { ExecOptions } from "../exec/options.ts";
import { decodeText } from "../exec/output-buffer.ts";
import type { ExecResult } from "../exec/result.ts";
import { atCallSite } from "../errors/call-site.ts";
import { runCommand } from "../exec/run-command.ts";
import type { SandboxProcess } from "../exec/sandbox-process.ts";
import { runShell, type ShellOptions } from "../exec/shell.ts";
import { spawnCommand } from "../exec/spawn-command.ts";
import type { SpawnOptions } from "../exec/spawn-options.ts";
import type { DirectoryOptions, DownloadOptions } from "../files/directory-options.ts";
import { downloadDirectory } from "../files/download-directory.ts";
import { readFiles, writeFiles } from "../files/many-files.ts";
import { readFile } from "../files/read-file.ts";
import { readFileStream } from "../files/read-stream.ts";
import { uploadDirectory } from "../files/upload-directory.ts";
import { type FileContent, type TransferOptions, writeFile } from "../files/write-file.ts";
import type { LogOptions } from "../logs/options.ts";
import { SandboxLogs } from "../logs/sandbox-logs.ts";
import { toSandboxSpec } from "../options/sandbox-spec.ts";
import { checkText } from "../options/checks.ts";
import { toTemplateOverrides } from "../options/template-overrides.ts";
import type { Snapshot } from "../snapshots/snapshot.ts";
import { type SnapshotOptions, takeSnapshot } from "../snapshots/take-snapshot.ts";
import { asError, reportLeft } from "./cleanup-report.ts";
import { deleteSandbox } from "./delete.ts";
import { explaining } from "./explained-end.ts";
import { getSandbox, lookAgain } from "./get.ts";
import { SandboxHandle } from "./handle.ts";
import { HANDLE } from "./handle-of.ts";
import { type ListOptions, Listing } from "./listing.ts";
import {
  type CallTarget,
  type DeleteOptions,
  type RunOptions,
  toRunOptions,
} from "./run-options.ts";
import { type UrlOptions, waitForUrl } from "./service-url.ts";
import { startSandbox } from "./start.ts";
import { type SandboxState, toSandboxState } from "./state.ts";
import { type SandboxStatus, toDate, toSandboxStatus } from "./status.ts";
import type { StopOptions, StopResult } from "./stop.ts";
import { Stopping } from "./stopping.ts";
import { type WaitOptions, type WaitResult, waitUntilEnded } from "./wait.ts";

/** What {@link Sandbox.list} finds. */
export type SandboxList = Listing<Sandbox>;

/** One sandbox of the service. Stop it, or let `await using` do it. */
export class Sandbox implements AsyncDisposable {
  readonly #handle: SandboxHandle;
  readonly #stopping: Stopping;

  /** Use {@link Sandbox.run} or {@link Sandbox.fromId}. */
  constructor(handle: SandboxHandle) {
    this.#handle = handle;
    this.#stopping = new Stopping(handle);
  }

  /**
   * A new sandbox, once it runs. `command` is its main process, by default one that waits for
   * commands. A main process that is over at once is no error: see {@link Sandbox.wait}.
   *
   * @throws ConfigurationError for a wrong option, before anything is made
   * @throws SandboxFailedError when it cannot start; TimeoutError when it does not in time;
   *   UnavailableError, AuthenticationError, QuotaError. None of them leaves a sandbox behind.
   */
  static run(command?: readonly string[], options?: RunOptions): Promise<Sandbox>;
  static run(options: RunOptions): Promise<Sandbox>;
  static async run(
    first: readonly string[] | RunOptions = {},
    second: RunOptions = {},
  ): Promise<Sandbox> {
    const { connection, signal, startTimeoutSeconds, ...options } = toRunOptions(first, second);
    const spec = toSandboxSpec(options);
    const target = connection ?? sharedConnection();
    return new Sandbox(await startSandbox(target, spec, { signal, startTimeoutSeconds }));
  }

  /**
   * A new sandbox from a template of the service, once it runs. What is given takes the place of the
   * template's, whole: tags replace its tags, and options of the container (its image, command,
   * environment, …) replace all of its containers, for which `containerImage` is needed.
   *
   * @throws NotFoundError when there is no such template; else like {@link Sandbox.run}
   */
  static async fromTemplate(templateId: string, overrides: RunOptions = {}): Promise<Sandbox> {
    const { connection = sharedConnection(), signal, startTimeoutSeconds, ...options } = overrides;
    checkText(templateId, "templateId");
    const spec = toTemplateOverrides(options);
    const start = { signal, startTimeoutSeconds, templateId };
    return new Sandbox(await startSandbox(connection, spec, start));
  }

  /** @throws NotFoundError when the service does not know it (any more) */
  static async fromId(id: string, { connection, signal }: CallTarget = {}): Promise<Sandbox> {
    const target = connection ?? sharedConnection();
    const record = await getSandbox(target, id, signal);
    return new Sandbox(new SandboxHandle(target, record.sandboxId, record));
  }

  /** Those of the caller, active ones unless told otherwise. Asks when it is read. */
  static list({ connection, ...options }: ListOptions & CallTarget = {}): SandboxList {
    const target = connection ?? sharedConnection();
    return new Listing(
      target,
      options,
      (record) => new Sandbox(new SandboxHandle(target, record.sandboxId, record)),
    );
  }

  /**
   * Kills a sandbox by its id, without waiting for its end. Answers whether it was there.
   *
   * @throws NotFoundError when it was not, unless `missingOk`
   */
  static async delete(id: string, options: DeleteOptions = {}): Promise<boolean> {
    const { connection = sharedConnection(), missingOk = false, signal } = options;
    const { existed } = await deleteSandbox(connection, id, { graceSeconds: 0, missingOk, signal });
    return existed;
  }

  get id(): string {
    return this.#handle.id;
  }

  get tags(): readonly string[] {
    return this.#handle.record?.spec?.tags ?? [];
  }

  get annotations(): Readonly<Record<string, string>> {
    return this.#handle.record?.spec?.annotations ?? {};
  }

  /** As last seen: {@link Sandbox.status} looks again. */
  get state(): SandboxState {
    return toSandboxState(this.#handle.record?.status?.state);
  }

  get createdAt(): Date | undefined {
    return toDate(this.#handle.record?.status?.createTime);
  }

  /**
   * The service's own record, as last seen.
   *
   * @internal Generated from the wire, and outside semantic versioning.
   * @throws SandboxClosedError never; a sandbox attached by its id alone has none: undefined
   */
  get record(): SandboxRecord | undefined {
    return this.#handle.record;
  }

  /** @internal For the other modules of this package, in whichever copy of it. */
  get [HANDLE](): SandboxHandle {
    return this.#handle;
  }

  /**
   * Runs a command, with no shell around it, and answers what it printed and how it exited; another
   * status than 0 is no error, unless `check`. Sent once: a command whose outcome is not known is
   * never run again.
   *
   * @throws CommandTimeoutError, with what was printed, after `timeoutSeconds`
   * @throws CommandFailedError with `check`
   * @throws SandboxClosedError when the sandbox is stopped, or stops meanwhile
   */
  exec(command: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    return this.#call(this.exec, () => runCommand(this.#handle, command, options));
  }

  /**
   * Starts a command whose streams are read and written while it runs. Resolves once it is under
   * way; whoever started it ends it: `await using`, {@link SandboxProcess.kill}, or its own end.
   *
   * @throws TimeoutError when the service is not ready for it in time
   * @throws SandboxClosedError when the sandbox is stopped
   */
  spawn(command: readonly string[], options: SpawnOptions = {}): Promise<SandboxProcess> {
    return this.#call(this.spawn, () => spawnCommand(this.#handle, command, options));
  }

  /**
   * An interactive shell, or another command, in a terminal that is joined with this process's own:
   * keys go there as they are typed, Ctrl+C too, and the size follows the window. Resolves with its
   * exit code when it ends, and leaves the terminal as it was.
   */
  shell(options: ShellOptions = {}): Promise<number> {
    return this.#call(this.shell, () => runShell(this.#handle, options));
  }

  /**
   * A whole file, at most 256 MiB. Above 32 MiB the image needs `sh` and `cat`.
   *
   * @throws FileError, its `reason` telling missing files, directories, … apart
   */
  readFile(path: string, options: TransferOptions = {}): Promise<Uint8Array> {
    return this.#call(this.readFile, () => readFile(this.#handle, path, options));
  }

  /** Like {@link Sandbox.readFile}, as UTF-8. */
  async readTextFile(path: string, options: TransferOptions = {}): Promise<string> {
    return decodeText(
      await this.#call(this.readTextFile, () => readFile(this.#handle, path, options)),
    );
  }

  /**
   * A file of any size, read from the sandbox only as fast as it is read here, and from the first
   * read on. Fails with a FileError, also when the file became shorter meanwhile. No limit in time,
   * unless `timeoutSeconds`. The image needs `sh` and `cat`.
   */
  readFileStream(path: string, options: TransferOptions = {}): ReadableStream<Uint8Array> {
    return readFileStream(this.#handle, path, options);
  }

  /**
   * What its main process prints: line by line with `for await`, or as `bytes()` or `text()`. Only
   * while the sandbox is there; what is followed then comes to its end.
   *
   * @throws ConfigurationError for a wrong option; readings throw what {@link SandboxLogs} says
   */
  logs(options: LogOptions = {}): SandboxLogs {
    return new SandboxLogs(this.#handle, options);
  }

  /**
   * Takes a snapshot of a scratch volume, and waits until it is ready, unless `wait` is false. Taken
   * once, however often the answer is lost.
   *
   * @throws ConfigurationError when there are several scratch volumes and none is named, or none
   * @throws SnapshotFailedError when it fails; TimeoutError when it is not ready in time, and goes on
   */
  snapshot(options: SnapshotOptions = {}): Promise<Snapshot> {
    return this.#call(this.snapshot, () => takeSnapshot(this.#handle, options));
  }

  /**
   * Several files, some at a time, by path.
   *
   * @throws FilesError, which names each that could not be read
   */
  readFiles(
    paths: readonly string[],
    options: TransferOptions = {},
  ): Promise<Map<string, Uint8Array>> {
    return this.#call(this.readFiles, () => readFiles(this.#handle, paths, options));
  }

  /**
   * Creates or replaces a file. Text and bytes: at most 256 MiB. A stream of them: any size, never
   * held in memory, and without a limit in time unless `timeoutSeconds`. Never sent twice.
   *
   * A stream, and what is above 32 MiB, goes to a temporary file beside the target, which replaces
   * it when all has arrived: a broken transfer leaves the old file. It needs `sh`, `cat`, `mkdir`,
   * `mv`, `rm` and `wc`.
   *
   * @throws FileError; what the stream itself throws
   */
  writeFile(path: string, content: FileContent, options: TransferOptions = {}): Promise<void> {
    return this.#call(this.writeFile, () => writeFile(this.#handle, path, content, options));
  }

  /**
   * Several files, some at a time: `{ "/workspace/a.txt": "…" }`. All that can be written is.
   *
   * @throws FilesError, which names each that could not be written
   */
  writeFiles(
    files: Readonly<Record<string, FileContent>>,
    options: TransferOptions = {},
  ): Promise<void> {
    return this.#call(this.writeFiles, () => writeFiles(this.#handle, files, options));
  }

  /**
   * Copies what is in a directory of this machine into one of the sandbox, made if need be. Modes
   * and links within are kept, owners are not. Files that are there too are replaced, others stay.
   * The image needs `sh`, `mkdir` and `tar`. What fails half-way leaves half of it.
   *
   * @throws FileError with the path
   */
  uploadDirectory(
    localPath: string,
    sandboxPath: string,
    options: DirectoryOptions = {},
  ): Promise<void> {
    return this.#call(this.uploadDirectory, () =>
      uploadDirectory(this.#handle, localPath, sandboxPath, options),
    );
  }

  /**
   * Copies what is in a directory of the sandbox into one of this machine, made if need be; else
   * like {@link Sandbox.uploadDirectory}. The sandbox is not trusted: an entry that would be outside
   * of the local directory is refused (`reason` `"TIDYBOX_ENTRY_REFUSED"`), links are never written
   * through, set-uid bits are dropped, and `maxSizeBytes` limits what comes.
   *
   * @throws FileError with the path
   */
  downloadDirectory(
    sandboxPath: string,
    localPath: string,
    options: DownloadOptions = {},
  ): Promise<void> {
    return this.#call(this.downloadDirectory, () =>
      downloadDirectory(this.#handle, sandboxPath, localPath, options),
    );
  }

  /** Looks at the sandbox now. @throws NotFoundError when the service does not know it any more */
  async status({
    signal,
  }: { readonly signal?: AbortSignal | undefined } = {}): Promise<SandboxStatus> {
    return toSandboxStatus(await lookAgain(this.#handle, signal));
  }

  /**
   * Where a port is reached that was declared in `services`, waiting until the service has said so.
   * It need not answer yet: that is for the program in the sandbox.
   *
   * @throws ConfigurationError when the port was not declared, or without a visibility
   * @throws TimeoutError when there is none within `timeoutSeconds` (default 60)
   * @throws SandboxClosedError when the sandbox has ended
   */
  url(port: number, options: UrlOptions = {}): Promise<string> {
    return this.#call(this.url, () => waitForUrl(this.#handle, port, options));
  }

  /**
   * Waits until the sandbox has ended, by itself or otherwise.
   *
   * @throws TimeoutError when it has not within `timeoutSeconds` (default 300); it goes on
   */
  async wait(options: WaitOptions = {}): Promise<WaitResult> {
    this.#handle.throwIfClosed();
    return waitUntilEnded(this.#handle, options);
  }

  /**
   * Stops the sandbox and waits until it has ended. Several stops, at once or one after the other,
   * are one, with the grace of the first; each waits within its own `timeoutSeconds` and `signal`. A
   * stop that failed can be tried again.
   *
   * @throws NotFoundError, unless `missingOk`; TimeoutError when it does not end in time
   */
  stop(options: StopOptions = {}): Promise<StopResult> {
    return atCallSite(this.stop, () => this.#stopping.join(options));
  }

  #call<T>(method: (...args: never[]) => unknown, body: () => Promise<T>): Promise<T> {
    return atCallSite(method, () => explaining(this.#handle, body));
  }

  /**
   * Stops it when an `await using` block is left. Does not throw: where the block itself threw, an
   * error from here would take its place (`SuppressedError` puts the later one in front), and no
   * dispose can know whether it did. A failure is a process warning instead, which names the
   * sandbox. To have it thrown, call {@link Sandbox.stop}. Where its session has `releaseOnDispose`, it
   * is released, and not waited for.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (this.#handle.onDispose?.() === true) return;
      await this.stop({ missingOk: true });
    } catch (error) {
      reportLeft([{ sandboxId: this.id, tags: this.tags, error: asError(error) }]);
    }
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return `Sandbox { id: '${this.id}', state: '${this.state}' }`;
  }
}
