import { create } from "@bufbuild/protobuf";
import { CreateSandboxRequestSchema, PurgeSandboxesRequestSchema, State } from "@tidybox/protocol";
import { expect, test } from "vitest";
import type { Engine, EngineSandbox } from "../engines/engine.ts";
import { specOf } from "../testing/test-service.ts";
import { purgeSandboxes } from "./purge-sandboxes.ts";
import { Resources } from "./resources/resources.ts";
import { SecretStores } from "./resources/secret-stores.ts";
import { Sandboxes } from "./sandboxes.ts";

/** No engine fails to stop a sandbox when it is asked to: this one stands in for a lost daemon. */
function engineWhoseStops(stop: () => Promise<void>): Engine {
  const nothing = (): Promise<never> => Promise.reject(new Error("nothing is done in it"));
  const sandbox: EngineSandbox = {
    ended: new Promise(() => {}),
    terminalsMissing: "none",
    ...{ exec: nothing, terminal: nothing, readFile: nothing, writeFile: nothing },
    archiveVolume: nothing,
    stop,
  };
  return {
    name: "process",
    hasVolumes: false,
    refusal: () => undefined,
    start: () => Promise.resolve(sandbox),
    close: () => Promise.resolve(),
  };
}

async function oneRunning(engine: Engine) {
  const onNotice = (): void => {};
  const secrets = new SecretStores();
  const stateFolder = "/nonexistent";
  const sandboxes = new Sandboxes({
    ...{ engine, runnerId: "r", maxSandboxes: () => undefined, onNotice },
    ...{ snapshotFolder: stateFolder, snapshotRecords: undefined, mappedImages: new Set<string>() },
    resources: new Resources({
      ...{ dataFolder: undefined, stateFolder, templates: {}, volumes: {}, secrets, onNotice },
    }),
    delay: () => undefined,
    lost: new Promise(() => {}),
  });
  const record = sandboxes.create(
    create(CreateSandboxRequestSchema, { sandbox: { spec: specOf() } }),
  );
  await record.settled;
  return { sandboxes, record };
}

const everything = create(PurgeSandboxesRequestSchema, { purgeAll: true });

test("a purge names what could not be stopped, which is FAILED and not worth another try", async () => {
  const broken = engineWhoseStops(() => Promise.reject(new Error("the daemon is gone")));
  const { sandboxes, record } = await oneRunning(broken);
  expect(await purgeSandboxes(sandboxes.registry, everything)).toEqual({
    count: 0,
    failed: [record.id],
    retryable: [],
  });
  expect(record.view().status).toMatchObject({
    state: State.FAILED,
    stateReason: expect.stringContaining("the daemon is gone"),
  });
  expect(await purgeSandboxes(sandboxes.registry, everything)).toEqual({
    count: 0,
    failed: [],
    retryable: [],
  });
});

test("a purge names what does not stop before its caller's deadline as worth another try", async () => {
  const { sandboxes, record } = await oneRunning(engineWhoseStops(() => new Promise(() => {})));
  const stopping = { count: 0, failed: [record.id], retryable: [record.id] };
  expect(await purgeSandboxes(sandboxes.registry, everything, 50)).toEqual(stopping);
  expect(await purgeSandboxes(sandboxes.registry, everything, 50)).toEqual(stopping);
});
