import { type Scene, type Strike, atAnyMoment, killIfThere, whileTestsRun } from "./strike.ts";

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
    afterwards: tidiedByTheNext,
  },
  {
    name: "all-sigkill",
    what: "SIGKILL of everything but the service, the coordinator too",
    besideAnother: true,
    hits: "runner",
    exit: () => "SIGKILL",
    perform: async (scene) => {
      await atAnyMoment(scene);
      // Some may end by the death of others, between the look and the blow.
      for (const pid of scene.pids()) killIfThere(pid, "SIGKILL");
      return { atMs: performance.now() };
    },
    afterwards: async (scene) => {
      if (scene.where.backend === "served") await scene.tidybox(["reap", "--lost"]);
      else await tidiedByTheNext(scene);
    },
  },
];

/** Sandboxes die with their service; its folder stays until the next one starts. */
async function tidiedByTheNext({ where, nextService }: Scene): Promise<void> {
  if (where.backend === "embedded") await nextService();
}
