import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import type { HelperAnswer, HelperRequest } from "./messages.ts";
import type { TerminalAnswer, TerminalRequest } from "./terminal-messages.ts";
import { killTerminalProcesses } from "./terminal-processes.ts";
import type { TerminalSupport } from "./terminal-program.ts";

type OpenRequest = Extract<HelperRequest, { type: "terminal" }>;
type ResizeRequest = Extract<HelperRequest, { type: "resize" }>;

/** This very program, even where its path has become unreadable with root given up. */
const NODE = existsSync("/proc/self/exe") ? "/proc/self/exe" : process.execPath;

/** Much longer than a message takes that was sent before its sender ended. */
const LAST_WORDS_MILLISECONDS = 1000;

interface OpenTerminal {
  readonly holder: ChildProcess;
  pid: number | undefined;
}

/** The helper's terminals, each held by a process of its own (terminal-main.ts). */
export class Terminals {
  readonly #answer: (message: HelperAnswer) => void;
  readonly #open = new Map<number, OpenTerminal>();

  constructor(answer: (message: HelperAnswer) => void) {
    this.#answer = answer;
  }

  open(request: OpenRequest, socket: string, support: TerminalSupport | undefined): void {
    const { id, command } = request;
    if (support === undefined || "missing" in support) {
      this.#answer({ type: "failed", id, reason: support?.missing ?? "no terminals" });
      return;
    }
    const holder = spawn(NODE, [support.main], {
      argv0: "node",
      cwd: "/",
      env: { PATH: process.env["PATH"] },
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      // A session of its own, by which its processes are told from the helper's.
      detached: true,
    });
    const terminal: OpenTerminal = { holder, pid: undefined };
    this.#open.set(id, terminal);
    let settled = false;
    const end = (message: HelperAnswer): void => {
      if (!settled) this.#answer(message);
      settled = true;
    };
    holder.on("message", (message: TerminalAnswer) => {
      if (message.type === "failed") return end({ type: "failed", id, reason: message.reason });
      if (message.type === "resized") {
        return this.#answer({ type: "done", id: message.id, count: 1 });
      }
      if (message.type === "opened") {
        terminal.pid = message.pid;
        return this.#answer({ type: "spawned", id, pid: message.pid });
      }
      terminal.pid = undefined;
      end({ type: "ended", id, code: message.code, signal: message.signal, stderrTail: "" });
    });
    holder.once("error", (error) => end({ type: "failed", id, reason: error.message }));
    const gone = (): void => {
      this.#open.delete(id);
      if (terminal.pid !== undefined) killTerminalProcesses(terminal.pid);
      end(
        terminal.pid === undefined
          ? { type: "failed", id, reason: "the process that should hold the terminal has ended" }
          : { type: "ended", id, code: null, signal: "SIGKILL", stderrTail: "" },
      );
    };
    holder.once("exit", () => {
      // What it has said last may still be on its way: Node tells of an exit before it has read it.
      if (!holder.connected) return gone();
      const late = setTimeout(gone, LAST_WORDS_MILLISECONDS);
      holder.once("disconnect", () => {
        clearTimeout(late);
        gone();
      });
    });
    tell(holder, { type: "open", id, command, socket, native: support.native });
  }

  resize({ id, terminal, columns, rows }: ResizeRequest): void {
    const open = this.#open.get(terminal);
    if (open === undefined) this.#answer({ type: "done", id, count: 0 });
    else tell(open.holder, { type: "resize", id, columns, rows });
  }

  /** Answers whether there is such a terminal. */
  kill(id: number): boolean {
    const terminal = this.#open.get(id);
    if (terminal !== undefined) tell(terminal.holder, { type: "kill" });
    return terminal !== undefined;
  }

  /** At once, because this process is about to end. */
  killAll(): void {
    for (const { holder, pid } of this.#open.values()) {
      if (pid !== undefined) killTerminalProcesses(pid);
      holder.kill("SIGKILL");
    }
  }
}

function tell(holder: ChildProcess, request: TerminalRequest): void {
  if (holder.connected) holder.send(request, () => {});
}
