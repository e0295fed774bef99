import { create } from "@bufbuild/protobuf";
import { SandboxSpecSchema, State } from "@tidybox/protocol";
import { expect, test } from "vitest";
import type { Engine } from "../engines/engine.ts";
import { BoundedLogMemory } from "./logs/bounded-log-memory.ts";
import { planSandbox } from "./sandbox-plan.ts";
import { SandboxRecord } from "./sandbox-record.ts";
import { SandboxRegistry } from "./sandbox-registry.ts";

/** A machine on which nothing starts: the quickest true way to an ended sandbox. */
const broken: Engine = {
  name: "process",
  hasVolumes: false,
  refusal: () => undefined,
  start: () => Promise.reject(new Error("no space left")),
  close: () => Promise.resolve(),
};

async function endedRecord(registry: SandboxRegistry, sizeBytes: number): Promise<SandboxRecord> {
  const { id, sequence } = registry.next();
  const spec = create(SandboxSpecSchema, { containers: [{ name: "main", image: "i" }] });
  const plan = planSandbox(id, spec);
  const record = new SandboxRecord({
    id,
    sequence,
    runnerId: "r",
    spec,
    plan,
    startMain: undefined,
    logMemory: new BoundedLogMemory(),
    maxLifetimeSeconds: 60,
    sizeBytes,
  });
  registry.add(record);
  await record.start(broken);
  await record.over;
  return record;
}

test("a sandbox that cannot start is FAILED with the reason, and no longer active", async () => {
  const registry = new SandboxRegistry(() => {});
  const record = await endedRecord(registry, 10);
  expect(record.view().status).toMatchObject({
    state: State.FAILED,
    stateReason: expect.stringContaining("no space left"),
  });
  expect(registry.activeCount).toBe(0);
  expect(registry.get(record.id)).toBe(record);
});

test("keeps the newest 2,000 ended sandboxes and tells which it forgot", async () => {
  const forgotten: string[] = [];
  const registry = new SandboxRegistry((id) => forgotten.push(id));
  const records: SandboxRecord[] = [];
  for (let count = 0; count < 2005; count += 1) records.push(await endedRecord(registry, 10));
  expect([...registry.all()].length).toBe(2000);
  expect(forgotten).toEqual(records.slice(0, 5).map(({ id }) => id));
  expect(registry.get(records[0]?.id ?? "")).toBeUndefined();
  expect(registry.get(records[5]?.id ?? "")).toBe(records[5]);
});

test("keeps no more than 64 MiB of ended sandboxes, but always the newest", async () => {
  const registry = new SandboxRegistry(() => {});
  for (let count = 0; count < 10; count += 1) await endedRecord(registry, 20 * 1024 * 1024);
  expect([...registry.all()].length).toBe(3);
  const huge = await endedRecord(registry, 200 * 1024 * 1024);
  expect([...registry.all()]).toEqual([huge]);
});
