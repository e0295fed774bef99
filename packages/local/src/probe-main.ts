/** Starts and ends a local service, which proves its engine; the answer goes out by IPC. */
import { LocalServiceError } from "./error.ts";
import { startLocalService } from "./local-service.ts";
import type { LocalNotice } from "./notice.ts";
import type { EngineProbe, ProbedEngine } from "./probe-engine.ts";

const notices: LocalNotice[] = [];

async function answer(engine: ProbedEngine): Promise<EngineProbe> {
  try {
    const service = await startLocalService({
      engine,
      onNotice: (notice) => void notices.push(notice),
    });
    await service.close();
    return { works: true, engine: service.engine, notices };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    const code = error instanceof LocalServiceError ? error.code : "local_engine_unavailable";
    return { works: false, code, problem, notices };
  }
}

process.once("message", (engine: ProbedEngine) => {
  void answer(engine).then((probe) =>
    process.send?.(probe, undefined, undefined, () => process.disconnect()),
  );
});
