/** A local service in a process of its own, as it is meant to be used; talks to its test by IPC. */
import type { LocalNotice } from "../index.ts";
import { closeInheritedDescriptors } from "../spawner/inherited-descriptors.ts";
import { collectedMemory } from "./collected-memory.ts";
import type { TestServiceOptions } from "./test-service.ts";

closeInheritedDescriptors();

const { prepare = false, ...options } = JSON.parse(process.argv[2] ?? "{}") as TestServiceOptions;
const { prepareLocalService } = await import("../prepare-local-service.ts");
const prepared = prepare ? prepareLocalService(options) : undefined;
const { LocalServiceError, startLocalService } = await import("../index.ts");
const notices: LocalNotice[] = [];

try {
  const service = await startLocalService({
    ...options,
    ...(prepared && { prepared }),
    onNotice: (notice) => void notices.push(notice),
  });
  process.on("message", (message) => {
    if (message === "notices") process.send?.(notices);
    else if (message === "memory") void collectedMemory().then((usage) => process.send?.(usage));
    else void service.close().then(() => process.disconnect());
  });
  // The test is gone: end in order, as the coordinator would.
  process.on("disconnect", () => void service.close());
  process.send?.({ baseUrl: service.baseUrl, token: service.token, engine: service.engine });
} catch (error) {
  const code = error instanceof LocalServiceError ? error.code : "unexpected";
  process.send?.({ code, message: error instanceof Error ? error.message : String(error) });
  process.disconnect();
}
