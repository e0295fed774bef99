import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { KEEP_ALIVE_COMMAND, State } from "@tidybox/protocol";
import {
  createRunning,
  run,
  sh,
  specOf,
  startTestService,
  type TestService,
  untilEnded,
} from "../testing/test-service.ts";

const [command, ...args] = KEEP_ALIVE_COMMAND;
const keepAlive = (more: object = {}) => specOf({ command, args: [...args], ...more });

/** Processes inside that run the keep-alive. */
const RUNNING = "grep -lz '8640[0]' /proc/[0-9]*/cmdline | wc -l";

let service: TestService;
let image: string;
beforeAll(async () => {
  image = mkdtempSync("/tmp/local-test-image-");
  chmodSync(image, 0o755);
  for (const name of ["usr", "bin"]) mkdirSync(`${image}/${name}`);
  service = await startTestService({ engine: "bubblewrap", images: { bare: image } });
});
afterAll(async () => {
  await service.close();
  rmSync(image, { recursive: true });
});

test("a keep-alive ends with 0 when it is asked to, and runs nowhere", async () => {
  const sandboxId = await createRunning(service.client, keepAlive());
  expect((await sh(service.client, sandboxId, RUNNING)).stdout).toBe("0\n");
  expect(await run(service.client, sandboxId, "pwd")).toMatchObject({ stdout: "/workspace\n" });
  await service.client.deleteSandbox({ sandboxId, gracePeriodSeconds: 300 });
  expect((await untilEnded(service.client, sandboxId)).status).toMatchObject({
    state: State.TERMINATED,
    exitCode: 0,
  });
});

test("without grace it is killed like any other, and has no exit code", async () => {
  const sandboxId = await createRunning(service.client, keepAlive());
  await service.client.deleteSandbox({ sandboxId });
  const { status } = await untilEnded(service.client, sandboxId);
  expect(status?.state).toBe(State.TERMINATED);
  expect(status?.exitCode).toBeUndefined();
});

test("what would change it makes it run: it then ends as it would anywhere", async () => {
  const variables = { LD_BIND_NOW: "1" };
  const sandboxId = await createRunning(
    service.client,
    keepAlive({ environmentVariables: variables }),
  );
  expect((await sh(service.client, sandboxId, RUNNING)).stdout).not.toBe("0\n");
  const lost = await service.client.createSandbox({
    sandbox: { spec: keepAlive({ environmentVariables: { PATH: "/nowhere" } }) },
  });
  expect((await untilEnded(service.client, lost.sandboxId)).status).toMatchObject({
    state: State.COMPLETED,
    exitCode: 127,
  });
});

test("an image without a shell cannot keep alive", async () => {
  const { sandboxId } = await service.client.createSandbox({
    sandbox: { spec: keepAlive({ image: "bare" }) },
  });
  expect((await untilEnded(service.client, sandboxId)).status).toMatchObject({
    state: State.FAILED,
    stateReason: expect.stringContaining("/bin/sh: No such file"),
  });
});
