import { afterAll, beforeAll, expect, test } from "vitest";
import { State } from "@tidybox/protocol";
import { specOf, startTestService, type TestService, untilEnded } from "../testing/test-service.ts";

let service: TestService;
beforeAll(async () => {
  service = await startTestService({ engine: "bubblewrap" });
});
afterAll(() => service.close());

test("a purge right after many creates ends those that run and those that still wait", async () => {
  const created = await Promise.all(
    Array.from({ length: 60 }, () => service.client.createSandbox({ sandbox: { spec: specOf() } })),
  );
  const { purgeCount, failedSandboxIds } = await service.client.purgeSandboxes({ purgeAll: true });
  expect({ purgeCount, failedSandboxIds }).toEqual({ purgeCount: 60, failedSandboxIds: [] });
  for (const { sandboxId } of created) {
    expect((await untilEnded(service.client, sandboxId)).status?.state).toBe(State.TERMINATED);
  }
  expect((await service.client.listSandboxes({})).sandboxes).toEqual([]);
});
