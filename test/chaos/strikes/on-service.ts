import { type Scene, type Strike, type Struck, seconds, whileTestsRun } from "./strike.ts";

const AWAY_SECONDS = 15;
const EACH_CALL = "2s";

export const strikesOnService: readonly Strike[] = [
  {
    name: "service-away",
    what: `the service is unavailable for ${AWAY_SECONDS} s while tests run`,
    hits: "service",
    // A cut connection takes the commands under way along; who stands still only makes them wait.
    exit: ({ backend }) => (backend === "served" ? "by-tests" : 0),
    endSeconds: 120,
    perform: async (scene) => {
      await whileTestsRun(scene);
      return away(scene);
    },
  },
  {
    name: "service-away-at-end",
    what: `the service is unavailable for ${AWAY_SECONDS} s when the tests are over`,
    hits: "service",
    exit: () => 0,
    endSeconds: 120,
    perform: async (scene) => {
      await scene.noted("the end of the tests", (notes) =>
        notes.some(({ kind }) => kind === "tests-over"),
      );
      return away(scene);
    },
  },
  {
    name: "create-answers-lost",
    what: "the answers to a tenth of the creates are lost",
    hits: "nobody",
    exit: () => 0,
    faults: { dropAnswer: { create: "0.1" } },
  },
  {
    name: "deletes-fail",
    what: "a tenth of the deletes fail",
    hits: "nobody",
    exit: () => 0,
    faults: { fail: { delete: "0.1" } },
  },
  {
    name: "quota-of-3",
    what: "a quota of 3 with 8 workers",
    hits: "nobody",
    exit: () => 0,
    plan: { files: 8, testsPerFile: 2, workers: 8, maxSandboxes: 8, pairs: false },
    faults: { quota: 3 },
    endSeconds: 120,
  },
  {
    name: "latency",
    what: "each call of the service takes 2 s more",
    hits: "nobody",
    exit: () => 0,
    plan: { rounds: 1, testsPerFile: 1 },
    faults: {
      latency: {
        create: EACH_CALL,
        get: EACH_CALL,
        list: EACH_CALL,
        delete: EACH_CALL,
        purge: EACH_CALL,
        exec: EACH_CALL,
      },
    },
    endSeconds: 120,
  },
];

/** Its network is cut; the embedded one, whose network cannot be, stands still. */
async function away(scene: Scene): Promise<Struck> {
  const { gate } = scene;
  if (gate !== undefined) {
    gate.close();
    await seconds(AWAY_SECONDS);
    gate.open();
  } else {
    const pid = await scene.coordinatorPid();
    process.kill(pid, "SIGSTOP");
    try {
      await seconds(AWAY_SECONDS);
    } finally {
      process.kill(pid, "SIGCONT");
    }
  }
  return { atMs: performance.now() };
}
