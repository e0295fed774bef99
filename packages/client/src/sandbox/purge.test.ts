import { expect, test } from "vitest";
import { startFaultService } from "../testing/fault-service.ts";
import { purgeByTags } from "./purge.ts";

test("purges by all the tags, again when the answer was lost, and says what is left", async () => {
  let calls = 0;
  await using service = await startFaultService({
    purgeSandboxes: ({ tags, dryRun, purgeAll, requestId }) => {
      calls += 1;
      expect({ tags, dryRun, purgeAll, requestId }).toEqual({
        tags: ["a", "b"],
        dryRun: true,
        purgeAll: false,
        requestId: "",
      });
      if (calls === 1) service.cut();
      return { purgeCount: 2, failedSandboxIds: ["x", "y"], retryableFailedSandboxIds: ["y"] };
    },
  });
  const result = await purgeByTags(service.connection, ["a", "b"], { dryRun: true });
  expect(result).toEqual({ purged: 2, failedIds: ["x", "y"], retryableFailedIds: ["y"] });
  expect(calls).toBe(2);
});

test("never purges without a tag", async () => {
  await using service = await startFaultService({});
  await expect(purgeByTags(service.connection, [])).rejects.toThrow(/at least one tag/);
});
