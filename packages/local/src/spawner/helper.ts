import { type ChildProcess, spawn } from "node:child_process";
import { withDeadline } from "../deadline.ts";
import { LocalServiceError } from "../error.ts";
import { programFile } from "../program-file.ts";
import type {
  FailedMount,
  HelperAnswer,
  HelperRequest,
  HelperSetup,
  RawEnd,
  ToolMount,
} from "./messages.ts";
import type { TerminalSupport } from "./terminal-program.ts";

const START_SECONDS = 20;
const CLOSE_SECONDS = 5;

export interface HelperOptions {
  readonly inputSocket: string;
  /** Bound in a mount namespace of the helper's own; needs root, so only before it is given up. */
  readonly mounts?: readonly ToolMount[];
  readonly identity?: { readonly uid: number; readonly gid: number };
  readonly watchdogMarker?: string;
  readonly terminals?: TerminalSupport;
}

type Ended = RawEnd & { readonly stderrTail: string };
type Reply = Exclude<HelperAnswer, { type: "ended" | "failed" | "ready" }>;

/** The channel to the helper process: questions by id, and the ends of what it started. */
export class Helper {
  readonly lost: Promise<LocalServiceError>;
  readonly #child: ChildProcess;
  readonly #asked = new Map<number, PromiseWithResolvers<Reply>>();
  readonly #ends = new Map<number, (end: Ended | "lost") => void>();
  #failedMounts: readonly FailedMount[] = [];
  #lastId = 0;
  #gone: LocalServiceError | undefined;
  #closing = false;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.lost = new Promise((resolve) => {
      const end = (why: string): void => {
        if (this.#gone === undefined) this.#lose(why);
        if (this.#gone !== undefined) resolve(this.#gone);
      };
      child.once("exit", (code, signal) =>
        end(signal === null ? `it exited with code ${code}` : `it was killed by ${signal}`),
      );
      child.once("error", (error) => end(error.message));
    });
  }

  /** Resolves when the helper has made its mounts and has become whom it was told to be. */
  static async start(options: HelperOptions): Promise<Helper> {
    const mounts = options.mounts ?? [];
    const node = [process.execPath, programFile("spawn-helper")];
    // Mounts below "slave" stay in the helper's namespace and vanish with it; the host's come in.
    const command =
      mounts.length > 0 ? ["unshare", "--mount", "--propagation", "slave", "--", ...node] : node;
    const child = spawn(command[0] as string, command.slice(1), {
      cwd: "/",
      // Not ours: a secret in our environment would be in /proc of a second process.
      env: { PATH: process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin" },
      // Away from the terminal's process group: Ctrl+C is for the service, which ends us in order.
      detached: true,
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    const helper = new Helper(child);
    const ready = new Promise<void>((resolve) => {
      child.on("message", (message) => {
        const answer = message as HelperAnswer;
        if (answer.type !== "ready") return helper.#receive(answer);
        helper.#failedMounts = answer.failedMounts;
        resolve();
      });
    });
    const setup: HelperSetup = {
      type: "setup",
      inputSocket: options.inputSocket,
      mounts,
      ...(options.identity && { identity: options.identity }),
      ...(options.terminals && { terminals: options.terminals }),
      ...(options.watchdogMarker !== undefined && { watchdogMarker: options.watchdogMarker }),
    };
    helper.tell(setup);
    const died = helper.lost.then((error) => {
      throw error;
    });
    try {
      await withDeadline(
        Promise.race([ready, died]),
        START_SECONDS,
        () =>
          new LocalServiceError(
            "local_helper_failed",
            `the helper process did not start within ${START_SECONDS} s`,
          ),
      );
      return helper;
    } catch (error) {
      child.kill("SIGKILL");
      throw error;
    } finally {
      died.catch(() => {});
    }
  }

  get failedMounts(): readonly FailedMount[] {
    return this.#failedMounts;
  }

  nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  /** One question, one answer. Rejects when the helper says no or dies. */
  ask(request: HelperRequest & { readonly id: number }): Promise<Reply> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    const pending = Promise.withResolvers<Reply>();
    this.#asked.set(request.id, pending);
    this.tell(request);
    return pending.promise;
  }

  /** The end of what request `id` starts; call before asking. */
  end(id: number): Promise<Ended | "lost"> {
    if (this.#gone !== undefined) return Promise.resolve("lost");
    return new Promise((resolve) => this.#ends.set(id, resolve));
  }

  forget(id: number): void {
    this.#asked.delete(id);
    this.#ends.delete(id);
  }

  tell(request: HelperRequest): void {
    // A broken channel is followed by "exit", which settles everything.
    if (this.#child.connected) this.#child.send(request, () => {});
  }

  async close(): Promise<void> {
    this.#closing = true;
    if (this.#child.connected) this.#child.disconnect();
    try {
      await withDeadline(this.lost, CLOSE_SECONDS, () => new Error("late"));
    } catch {
      this.#child.kill("SIGKILL");
      await this.lost;
    }
  }

  #receive(answer: Exclude<HelperAnswer, { type: "ready" }>): void {
    if (answer.type === "ended") {
      this.#ends.get(answer.id)?.(answer);
      this.#ends.delete(answer.id);
      return;
    }
    const pending = this.#asked.get(answer.id);
    this.#asked.delete(answer.id);
    if (answer.type === "failed") {
      this.#ends.delete(answer.id);
      pending?.reject(new LocalServiceError("local_helper_failed", answer.reason));
    } else {
      pending?.resolve(answer);
    }
  }

  #lose(why: string): void {
    this.#gone = new LocalServiceError(
      "local_helper_failed",
      this.#closing
        ? "the local service is closing"
        : `the local service's helper process is gone (${why}); nothing can run any more: restart the local service`,
    );
    for (const pending of this.#asked.values()) pending.reject(this.#gone);
    for (const settle of this.#ends.values()) settle("lost");
    this.#asked.clear();
    this.#ends.clear();
  }
}
