import { afterAll, beforeAll, expect, test } from "vitest";
import { State } from "@tidybox/protocol";
import {
  createRunning,
  run,
  specOf,
  startTestService,
  type TestService,
  untilEnded,
} from "../testing/test-service.ts";

/** Far more than start at once. */
const MANY = 60;

let service: TestService;
beforeAll(async () => {
  service = await startTestService({ engine: "bubblewrap" });
});
afterAll(() => service.close());

test("a sandbox that waits for its turn is PENDING: it can be listed, used and deleted", async () => {
  const { client } = service;
  const created = await Promise.all(
    Array.from({ length: MANY }, () => client.createSandbox({ sandbox: { spec: specOf() } })),
  );
  const waiting = created.filter(({ status }) => status?.state === State.PENDING);
  expect(created.some(({ status }) => status?.state === State.CREATING)).toBe(true);
  const [deleted, used] = [waiting.at(-1)?.sandboxId ?? "", waiting.at(-2)?.sandboxId ?? ""];
  const [{ sandbox }, said, listed] = await Promise.all([
    client.deleteSandbox({ sandboxId: deleted }),
    run(client, used, "echo", "was pending"),
    client.listSandboxes({}),
  ]);
  expect([State.TERMINATING, State.TERMINATED]).toContain(sandbox?.status?.state);
  expect(said.stdout).toBe("was pending\n");
  expect(listed.sandboxes.map(({ sandboxId }) => sandboxId)).toContain(used);
  expect((await untilEnded(client, deleted)).status?.state).toBe(State.TERMINATED);
  await client.purgeSandboxes({ purgeAll: true });
});

test("init containers that take long do not keep other sandboxes from starting", async () => {
  const { client } = service;
  const image = "python:3.11";
  const spec = specOf(
    {},
    {
      initContainers: [{ name: "slow", image, command: "sleep", args: ["1000"] }],
    },
  );
  const slow = await Promise.all(
    Array.from({ length: 10 }, () => client.createSandbox({ sandbox: { spec } })),
  );
  const quick = await createRunning(client);
  const looked = await client.getSandbox({ sandboxId: slow[0]?.sandboxId ?? "" });
  expect(looked.status?.state).toBe(State.CREATING);
  expect((await run(client, quick, "echo", "on")).stdout).toBe("on\n");
  expect((await client.purgeSandboxes({ purgeAll: true })).failedSandboxIds).toEqual([]);
});
