/**
 * The process that forks. It stays small, because a fork copies page tables while its caller
 * waits: from a loaded gRPC service one spawn costs tens of milliseconds, from here a few
 * (local-engine.md, 2.1). It imports nothing but Node's own modules.
 *
 * It lives exactly as long as its channel to the service: on `disconnect` it exits, and every
 * sandbox goes with it.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { closeSync, constants, openSync, unlink } from "node:fs";
import { connect, type Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { killMarkedProcesses } from "./engines/process/marked-processes.ts";
import { closeInheritedDescriptors } from "./spawner/inherited-descriptors.ts";
import { kill, killLed, killUnfinished, wakeLeader } from "./spawner/leader.ts";
import { Relays } from "./spawner/relays.ts";
import type { FailedMount, HelperAnswer, HelperRequest, HelperSetup } from "./spawner/messages.ts";
import { Terminals } from "./spawner/terminals.ts";

type SpawnRequest = Extract<HelperRequest, { type: "spawn" }>;
type HoldRequest = Extract<HelperRequest, { type: "hold" }>;

const STDERR_TAIL_BYTES = 4096;
const MOUNT_MILLISECONDS = 5000;
const LAST_WORDS_MILLISECONDS = 200;
const WORK_MILLISECONDS = 60_000;
const LEADER_LOOK_MILLISECONDS = 500;

/**
 * The service holds the read end already. Were it gone, a blocking open would wait for ever and
 * never see the disconnect; libuv makes the child's descriptors blocking again.
 */
const WRITE_END = constants.O_WRONLY | constants.O_NONBLOCK;

// Before anything is started here: it would inherit them, and every sandbox is started here.
closeInheritedDescriptors();

let setup: HelperSetup | undefined;
let leaderWatch: NodeJS.Timeout | undefined;
/** Children that have not been reaped: only their pids are safe to signal. */
const running = new Map<number, Running>();

interface Running {
  readonly child: ChildProcess;
  /** What a signal goes to; negative for a process group. */
  readonly target: () => number;
  /** See {@link killLed}. */
  readonly leads: boolean;
  /** See {@link killUnfinished}. */
  readonly isUnfinished: () => boolean;
}

const terminals = new Terminals(answer);
const relays = new Relays(answer);

function answer(message: HelperAnswer): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function prepare(request: HelperSetup): Promise<void> {
  setup = request;
  process.umask(0o022);
  process.chdir("/");
  const failedMounts: FailedMount[] = [];
  await Promise.all(
    request.mounts.map(({ source, target }) =>
      mount(source, target).catch((error: unknown) => {
        failedMounts.push({ source, reason: reasonOf(error) });
      }),
    ),
  );
  if (request.identity !== undefined) {
    process.setgroups?.([]);
    process.setgid?.(request.identity.gid);
    process.setuid?.(request.identity.uid);
  }
  answer({ type: "ready", failedMounts });
}

function mount(source: string, target: string): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile("mount", ["--bind", source, target], { timeout: MOUNT_MILLISECONDS }, (error) =>
      error === null ? resolve() : reject(error),
    );
  });
}

/** Connects standard input of request `id` to the service, which knows it by its first line. */
function connectInput(id: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(setup?.inputSocket ?? "");
    socket.pause();
    socket.once("error", reject);
    socket.once("connect", () =>
      socket.write(`${id}\n`, (error) => (error ? reject(error) : resolve(socket))),
    );
  });
}

async function run(request: SpawnRequest): Promise<void> {
  const opened: number[] = [];
  let input: Socket | undefined;
  try {
    opened.push(openSync(request.stdoutPath, WRITE_END));
    opened.push(openSync(request.stderrPath, WRITE_END));
    if (request.wantsInput) input = await connectInput(request.id);
    const child = spawn(request.file, request.args, {
      cwd: request.cwd,
      env: request.environment,
      stdio: [input ?? "ignore", ...opened],
      // Its own process group, so that a kill reaches what it started too.
      detached: true,
    });
    watch(
      request.id,
      child,
      () => -(child.pid ?? 0),
      () => Promise.resolve(""),
      { leads: request.leads },
    );
    if (child.pid !== undefined) answer({ type: "spawned", id: request.id, pid: child.pid });
    // Both ends are open: nobody needs the names any more.
    for (const path of [request.stdoutPath, request.stderrPath]) unlink(path, () => {});
  } catch (error) {
    answer({ type: "failed", id: request.id, reason: reasonOf(error) });
  } finally {
    for (const fd of opened) closeSync(fd);
    input?.destroy();
  }
}

/**
 * Starts a sandbox's first process and waits until it is usable: it must have echoed a line (the
 * sandbox is complete) and have named its inner pid on fd 3. The two arrive in any order.
 */
function hold(request: HoldRequest): void {
  let innerPid: number | undefined;
  let echoed = false;
  let stderrTail = "";
  const words = [
    ...request.leader,
    ...[request.file, "--args", "4", "--info-fd", "3", "--"],
    ...request.command,
  ];
  const child = spawn(words[0] ?? "", words.slice(1), {
    cwd: "/",
    env: request.environment,
    stdio: ["pipe", "pipe", "pipe", "pipe", "pipe"],
  });
  watch(
    request.id,
    child,
    () => innerPid ?? child.pid ?? 0,
    async () => {
      // Only a sandbox that did not come about has a reason to give, and it may be under way still.
      if (!echoed && stderr !== null) await endOf(stderr);
      return stderrTail;
    },
    { isUnfinished: () => !echoed },
  );
  const report = (): void => {
    if (!echoed || innerPid === undefined) return;
    // Nothing more is said, and each would cost two descriptors and their buffers for a sandbox's life.
    for (const stream of [stdout, stderr]) stream?.destroy();
    answer({ type: "held", id: request.id, innerPid });
  };
  const { stdin, stdout, stderr } = child;
  const info = child.stdio[3] as Readable | null;
  const args = child.stdio[4] as Writable | null;
  for (const stream of [stdin, stdout, stderr, info, args]) stream?.on("error", () => {});
  args?.end(request.fileArgs.map((word) => `${word}\0`).join(""));
  stdin?.write("\n");
  stdout?.once("data", () => {
    echoed = true;
    report();
  });
  stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderrTail = (stderrTail + text).slice(-STDERR_TAIL_BYTES);
  });
  let json = "";
  info?.setEncoding("utf8").on("data", (text: string) => {
    json += text;
  });
  info?.on("end", () => {
    const match = /"child-pid":\s*(\d+)/.exec(json);
    if (match?.[1] === undefined) return;
    innerPid = Number(match[1]);
    report();
  });
}

/** Resolves at the end of a stream, or when that takes too long: somebody else holds it open. */
function endOf(stream: Readable): Promise<void> {
  return new Promise((resolve) => {
    if (stream.closed) return resolve();
    const timer = setTimeout(resolve, LAST_WORDS_MILLISECONDS);
    stream.once("close", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function watch(
  id: number,
  child: ChildProcess,
  target: () => number,
  stderrTail: () => Promise<string>,
  { leads = false, isUnfinished = () => false }: Partial<Running> = {},
): void {
  running.set(id, { child, target, leads, isUnfinished });
  if (leads) watchLeaders();
  child.once("error", (error) => {
    if (child.pid !== undefined) return;
    running.delete(id);
    answer({ type: "failed", id, reason: error.message });
  });
  child.once("exit", (code, signal) => {
    running.delete(id);
    void stderrTail().then((tail) => answer({ type: "ended", id, code, signal, stderrTail: tail }));
  });
}

function signalRunning(id: number, signal: NodeJS.Signals): void {
  if (terminals.kill(id) || relays.kill(id)) return;
  const known = running.get(id);
  const target = known?.target() ?? 0;
  if (known === undefined || target === 0) return;
  if (signal === "SIGKILL" && known.isUnfinished()) {
    killUnfinished(known.child.pid ?? 0);
    return;
  }
  if (known.leads && signal === "SIGKILL" && killLed(known.child.pid ?? 0)) {
    // What the command has started in its group, once nobody is needed any more to reap the command.
    known.child.once("exit", () => kill(target, signal));
  } else {
    kill(target, signal);
  }
}

function wakeLeaders(): void {
  for (const { child, leads } of running.values())
    if (leads && child.pid !== undefined) wakeLeader(child.pid);
}

function watchLeaders(): void {
  if (leaderWatch !== undefined || process.platform !== "linux") return;
  leaderWatch = setInterval(wakeLeaders, LEADER_LOOK_MILLISECONDS).unref();
}

/** Runs a program of the host on files of the service; the answer is whether it could. */
function work(id: number, program: string, args: readonly string[]): void {
  execFile(program, args, { timeout: WORK_MILLISECONDS }, (error) =>
    answer(
      error === null
        ? { type: "done", id, count: 1 }
        : { type: "failed", id, reason: error.message },
    ),
  );
}

function leave(): never {
  terminals.killAll();
  relays.killAll();
  for (const { child, target, leads, isUnfinished } of running.values()) {
    if (leads && killLed(child.pid ?? 0)) continue;
    if (isUnfinished() && child.pid !== undefined) killUnfinished(child.pid);
    for (const pid of [target(), child.pid ?? 0]) if (pid !== 0) kill(pid, "SIGKILL");
  }
  if (setup?.watchdogMarker !== undefined) killMarkedProcesses(setup.watchdogMarker);
  process.exit(0);
}

process.on("disconnect", leave);
process.on("message", (request: HelperRequest) => {
  switch (request.type) {
    case "setup":
      return void prepare(request);
    case "spawn":
      return void run(request);
    case "hold":
      return hold(request);
    case "terminal":
      return terminals.open(request, setup?.inputSocket ?? "", setup?.terminals);
    case "resize":
      return terminals.resize(request);
    case "relay":
      return void relays.open(request);
    case "signal":
      return signalRunning(request.id, request.signal);
    case "kill-marked":
      return answer({ type: "done", id: request.id, count: killMarkedProcesses(request.marker) });
    case "fifos":
      return work(request.id, "mkfifo", ["-m", "600", ...request.paths]);
    case "remove":
      return work(request.id, "rm", ["-rf", "--", ...request.paths]);
  }
});
