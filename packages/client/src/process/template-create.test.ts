import { expect, test, vi } from "vitest";
import { Sandbox } from "../sandbox/sandbox.ts";
import { startTestService } from "../testing/local-service.ts";
import { startScript } from "../testing/script.ts";

test("a create from a template that is under way when the process ends leaves nothing", async () => {
  await using service = await startTestService({
    templates: { t: { containers: [{ name: "main", image: "python:3.11" }] } },
    faults: { latency: { create: "400ms" } },
  });
  const { connection } = service;
  const script = startScript(
    'void Sandbox.fromTemplate("t", { tags }); await sleep(200); process.exit(0);',
    { connection, tag: "template-under-way" },
  );
  expect((await script.ended).status).toBe(0);
  const made = () =>
    Sandbox.list({ connection, tags: ["template-under-way"], showTerminated: true }).toArray();
  // The helper repeats the create under its key, and stops what that answers.
  await vi.waitFor(
    async () => {
      const all = await made();
      expect(all.map(({ state }) => state)).toEqual(["terminated"]);
      expect(all[0]?.record?.sourceTemplateId).toBe("t");
    },
    { timeout: 20_000, interval: 50 },
  );
});
