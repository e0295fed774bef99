import {
  type Exit,
  type Scene,
  type Strike,
  type Struck,
  type Where,
  atAnyMoment,
  killIfThere,
  seconds,
} from "./strike.ts";

export const strikesOnRunner: readonly Strike[] = [
  signal("runner-sigint", "SIGINT to the runner", bySigint, (pid) => process.kill(pid, "SIGINT")),
  // The second finds the runner's own handler, or nothing any more.
  signal(
    "runner-sigint-twice",
    "SIGINT to the runner, twice",
    () => [130, "SIGINT"],
    async (pid) => {
      process.kill(pid, "SIGINT");
      await seconds(0.005);
      killIfThere(pid, "SIGINT");
    },
  ),
  signal("runner-sigterm", "SIGTERM to the runner", bySigterm, (pid) =>
    process.kill(pid, "SIGTERM"),
  ),
  signal(
    "runner-sighup",
    "SIGHUP to the runner",
    () => "SIGHUP",
    (pid) => process.kill(pid, "SIGHUP"),
  ),
  {
    ...signal(
      "runner-sigkill",
      "SIGKILL of the runner",
      () => "SIGKILL",
      (pid) => process.kill(pid, "SIGKILL"),
    ),
    besideAnother: true,
  },
  signal("group-sigint", "Ctrl+C: SIGINT to the runner's process group", bySigint, (pid) =>
    process.kill(-pid, "SIGINT"),
  ),
  signal(
    "group-sigkill",
    "SIGKILL of the runner's process group",
    () => "SIGKILL",
    (pid) => process.kill(-pid, "SIGKILL"),
  ),
  {
    name: "orphan-endless",
    what: "SIGKILL of the runner while a test's body goes on for ever",
    hits: "runner",
    exit: () => "SIGKILL",
    misdeed: "never-ends",
    perform: async ({ run, noted }) => {
      await noted("the endless body", (notes) => notes.some(({ kind }) => kind === "misdeed"));
      process.kill(run.pid, "SIGKILL");
      return { atMs: performance.now() };
    },
  },
  {
    name: "github-cancel",
    what: "GitHub's cancel: SIGINT to the step's shell, SIGTERM 7.5 s later, SIGKILL of all 2.5 s later",
    hits: "runner",
    exit: () => "any",
    surroundings: "shell",
    plan: { rounds: 30 },
    perform: async (scene) => {
      const { run } = scene;
      await atAnyMoment(scene);
      killIfThere(run.pid, "SIGINT");
      await seconds(7.5);
      killIfThere(run.pid, "SIGTERM");
      await seconds(2.5);
      killIfThere(-run.pid, "SIGKILL");
      return { atMs: performance.now() };
    },
  },
  {
    name: "terminal-closed",
    what: "the terminal is closed",
    hits: "runner",
    exit: () => "SIGKILL",
    surroundings: "terminal",
    perform: async (scene) => {
      await atAnyMoment(scene);
      process.kill(scene.run.pid, "SIGKILL");
      return { atMs: performance.now() };
    },
  },
  {
    name: "reader-gone",
    what: "the output is piped to a reader that goes away (| head)",
    // Whether it goes on is the framework's business: see the table of runners.
    hits: "runner",
    // Of the pipe, whose status is its last command's.
    exit: () => 0,
    surroundings: "head",
  },
];

function bySigint({ diesOfSignals }: Where): Exit {
  return diesOfSignals ? "SIGINT" : 130;
}

function bySigterm({ diesOfSignals }: Where): Exit {
  return diesOfSignals ? "SIGTERM" : 143;
}

function signal(
  name: string,
  what: string,
  exit: Strike["exit"],
  send: (runnerPid: number) => unknown,
): Strike {
  return {
    name,
    what,
    hits: "runner",
    exit,
    perform: async (scene: Scene): Promise<Struck> => {
      await atAnyMoment(scene);
      await send(scene.run.pid);
      return { atMs: performance.now() };
    },
  };
}
