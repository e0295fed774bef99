import {
  type Scene,
  type Strike,
  type Struck,
  type Where,
  seconds,
  whileTestsRun,
} from "./strike.ts";

const workersAreProcesses = (where: Where) => where.workersAreProcesses;

export const strikesOnWorker: readonly Strike[] = [
  {
    name: "worker-sigkill",
    what: "SIGKILL of a worker",
    besideAnother: true,
    hits: "worker",
    appliesTo: workersAreProcesses,
    exit: () => 1,
    perform: async (scene) => {
      const pid = await busyWorker(scene);
      process.kill(pid, "SIGKILL");
      return { atMs: performance.now(), workerPids: [pid] };
    },
  },
  {
    name: "worker-sigstop",
    what: "a worker is stopped for 20 s and goes on (SIGSTOP, SIGCONT)",
    hits: "nobody",
    appliesTo: workersAreProcesses,
    exit: () => 0,
    endSeconds: 90,
    perform: async (scene): Promise<Struck> => {
      const pid = await busyWorker(scene);
      process.kill(pid, "SIGSTOP");
      try {
        await seconds(20);
      } finally {
        process.kill(pid, "SIGCONT");
      }
      return { atMs: performance.now(), workerPids: [pid] };
    },
  },
];

/** One whose test holds a sandbox now, drawn by lot. */
async function busyWorker(scene: Scene): Promise<number> {
  const busy = () => {
    const open = new Map<string, number>();
    for (const { kind, test = "", pid } of scene.notes()) {
      if (kind === "holds") open.set(test, pid);
      if (kind === "done" || kind === "trouble") open.delete(test);
    }
    return [...new Set(open.values())];
  };
  await whileTestsRun(scene);
  await scene.noted("a worker that holds a sandbox", () => busy().length > 0);
  return scene.chance.oneOf(busy());
}
