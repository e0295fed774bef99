import { Readable, Writable } from "node:stream";
import type {
  Engine,
  EngineProcess,
  EngineSandbox,
  EngineTerminal,
  ExecCommand,
  SandboxPlan,
} from "../engines/engine.ts";
import { SandboxFileError } from "../engines/sandbox-file-error.ts";
import { sandboxIsEnding } from "../engines/sandbox-unreachable-error.ts";
import { VolumeArchiveError } from "../engines/volume-archive-error.ts";
import { OutputPipe } from "../spawner/output-pipe.ts";

/** What every command says, whatever it was. */
export const SIMULATED_OUTPUT = "simulated\n";

/**
 * Sandboxes that are nothing but records: no process and no folder, so that what a service and its
 * clients cost can be measured with ten thousands of them. Commands succeed at once; files are kept
 * in memory, for as long as their sandbox runs.
 */
export class SimulatedEngine implements Engine {
  /** The one that promises least: what a spec asks beyond that is refused, and not pretended. */
  readonly name = "process";
  readonly hasVolumes = false;
  readonly privileges = "account";

  refusal(): undefined {
    return undefined;
  }

  start(plan: SandboxPlan): Promise<EngineSandbox> {
    return Promise.resolve(new SimulatedSandbox(plan));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

class SimulatedSandbox implements EngineSandbox {
  readonly ended: Promise<{ readonly reason: string }>;
  readonly terminalsMissing = "simulated sandboxes have no terminals";
  readonly #end = Promise.withResolvers<{ readonly reason: string }>();
  readonly #plan: SandboxPlan;
  readonly #files: Map<string, Uint8Array>;
  #stopped = false;

  constructor(plan: SandboxPlan) {
    this.#plan = plan;
    this.#files = new Map(plan.files.map(({ path, content }) => [path, content]));
    this.ended = this.#end.promise;
  }

  exec({ wantsInput }: ExecCommand): Promise<EngineProcess> {
    if (this.#stopped) return Promise.reject(sandboxIsEnding(this.#plan.id));
    const exited = Promise.resolve({ exitCode: 0, lost: false });
    return Promise.resolve({
      stdin: wantsInput ? new Writable({ write: (_chunk, _encoding, done) => done() }) : undefined,
      stdout: new OutputPipe(Readable.from([Buffer.from(SIMULATED_OUTPUT)]), exited),
      stderr: new OutputPipe(Readable.from([]), exited),
      exited,
      launched: () => Promise.resolve(),
      launchFailure: () => undefined,
      terminate: () => {},
      kill: () => {},
    });
  }

  terminal(): Promise<EngineTerminal> {
    return Promise.reject(new Error(this.terminalsMissing));
  }

  readFile(path: string, maxSizeBytes: number): Promise<Uint8Array> {
    const content = this.#files.get(this.#absolute(path));
    if (content === undefined)
      return Promise.reject(
        new SandboxFileError("not_found", `${path}: no such file or directory`),
      );
    const sizeBytes = content.length;
    if (sizeBytes <= maxSizeBytes) return Promise.resolve(content);
    const message = `${path} has ${sizeBytes} bytes, and ${maxSizeBytes} can be read at once`;
    return Promise.reject(new SandboxFileError("too_large", message, { sizeBytes }));
  }

  writeFile(path: string, content: Uint8Array): Promise<void> {
    this.#files.set(this.#absolute(path), content);
    return Promise.resolve();
  }

  archiveVolume(): Promise<never> {
    return Promise.reject(new VolumeArchiveError("failed", "simulated sandboxes have no volumes"));
  }

  stop(): Promise<void> {
    this.#stopped = true;
    this.#files.clear();
    this.#end.resolve({ reason: "the sandbox was stopped" });
    return Promise.resolve();
  }

  #absolute(path: string): string {
    return path.startsWith("/") ? path : `${this.#plan.workingDirectory}/${path}`;
  }
}
