import { type Strike, atAnyMoment, whileTestsRun } from "./strike.ts";

export const strikesOnCoordinator: readonly Strike[] = [
  {
    name: "coordinator-sigkill",
    what: "SIGKILL of the coordinator",
    // Of the embedded service too, which is this process.
    hits: "service",
    // Nobody can say what became of everything: the run fails.
    exit: () => 1,
    perform: async (scene) => {
      await whileTestsRun(scene);
      process.kill(await scene.coordinatorPid(), "SIGKILL");
      return { atMs: performance.now() };
    },
  },
  {
    name: "all-sigkill",
    what: "SIGKILL of everything but the service, the coordinator too",
    hits: "runner",
    exit: () => "SIGKILL",
    perform: async (scene) => {
      await atAnyMoment(scene);
      for (const pid of scene.pids()) process.kill(pid, "SIGKILL");
      return { atMs: performance.now() };
    },
    afterwards: async ({ where, tidybox }) => {
      if (where.backend === "served") await tidybox(["reap", "--lost"]);
    },
    pending: ({ backend }) =>
      backend === "served" ? "needs `tidybox reap --lost` (branch records)" : undefined,
  },
];
