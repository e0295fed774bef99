import { setTimeout as sleep } from "node:timers/promises";
import * as v from "valibot";

/** A Node process of ours, seen through its own inspector. */
export interface Inspector extends Disposable {
  /** Bytes of what is still in use, after a full collection of garbage. */
  usedHeapBytes(): Promise<number>;
  startProfile(): Promise<void>;
  /** As `node --cpu-prof` writes it. */
  stopProfile(): Promise<string>;
}

const PORT = 9229;
const OPEN_SECONDS = 10;

const TargetsSchema = v.array(v.object({ webSocketDebuggerUrl: v.string() }));
const AnswerSchema = v.object({
  id: v.optional(v.number()),
  result: v.optional(v.unknown()),
  error: v.optional(v.object({ message: v.string() })),
});
type Answer = v.InferOutput<typeof AnswerSchema>;

/**
 * Opens the inspector of a process that was started without one, as SIGUSR1 does.
 *
 * @throws where another process of this machine has the port, 9229
 */
export async function inspect(pid: number): Promise<Inspector> {
  process.kill(pid, "SIGUSR1");
  const socket = new WebSocket(await firstTarget());
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve, { once: true });
    socket.addEventListener("error", reject, { once: true });
  });
  const answers = new Map<number, (answer: Answer) => void>();
  socket.addEventListener("message", ({ data }) => {
    const answer = v.parse(AnswerSchema, JSON.parse(String(data)));
    if (answer.id !== undefined) answers.get(answer.id)?.(answer);
  });
  let asked = 0;
  const ask = async (method: string, params: object = {}): Promise<Answer["result"]> => {
    asked += 1;
    const id = asked;
    const answered = new Promise<Answer>((resolve) => answers.set(id, resolve));
    socket.send(JSON.stringify({ id, method, params }));
    const { result, error } = await answered;
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result;
  };
  const evaluated = await ask("Runtime.evaluate", { expression: "process.pid" });
  const found = v.parse(v.object({ result: v.object({ value: v.number() }) }), evaluated);
  if (found.result.value !== pid) {
    socket.close();
    throw new Error(
      `port ${PORT} is the inspector of process ${found.result.value}, not of ${pid}`,
    );
  }
  return {
    usedHeapBytes: async () => {
      await ask("HeapProfiler.enable");
      await ask("HeapProfiler.collectGarbage");
      return v.parse(v.object({ usedSize: v.number() }), await ask("Runtime.getHeapUsage"))
        .usedSize;
    },
    startProfile: async () => {
      await ask("Profiler.enable");
      await ask("Profiler.start");
    },
    stopProfile: async () =>
      JSON.stringify(
        v.parse(v.object({ profile: v.unknown() }), await ask("Profiler.stop")).profile,
      ),
    [Symbol.dispose]: () => socket.close(),
  };
}

async function firstTarget(): Promise<string> {
  const deadline = performance.now() + OPEN_SECONDS * 1000;
  for (;;) {
    const [target] = await fetch(`http://127.0.0.1:${PORT}/json/list`)
      .then(async (response) => v.parse(TargetsSchema, await response.json()))
      .catch(() => []);
    if (target !== undefined) return target.webSocketDebuggerUrl;
    if (performance.now() > deadline) throw new Error(`no inspector answers on port ${PORT}`);
    await sleep(50);
  }
}
