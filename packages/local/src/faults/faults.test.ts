import { Code, type ConnectError, createClient } from "@connectrpc/connect";
import { DiscoveryService, ErrorReason, RetryInfoSchema, State } from "@tidybox/protocol";
import { describe, expect, test } from "vitest";
import { Requests } from "../testing/requests.ts";
import { startedServices, transportOf } from "../testing/started-services.ts";
import {
  createRunning,
  eventually,
  refusalOf,
  RefusedStart,
  run,
  specOf,
  type TestService,
  untilEnded,
} from "../testing/test-service.ts";
import { Faults } from "./faults.ts";

const { start } = startedServices();

const create = ({ client }: TestService) => client.createSandbox({ sandbox: { spec: specOf() } });

function retryDelayOf(error: ConnectError): number {
  const { seconds = 0n, nanos = 0 } = error.findDetails(RetryInfoSchema)[0]?.retryDelay ?? {};
  return Number(seconds) + nanos / 1e9;
}

describe("what fails on purpose", () => {
  test("fails with the code that was asked for, and the reason that clients know", async () => {
    const service = await start({
      faults: { fail: { create: "1x:resource_exhausted", get: "unavailable", list: "1:internal" } },
    });
    const refused = await refusalOf(create(service));
    expect(refused).toMatchObject({
      code: Code.ResourceExhausted,
      reason: ErrorReason.RUNNER_OVERLOADED,
    });
    expect(retryDelayOf(refused.error)).toBeGreaterThan(0);
    expect((await create(service)).sandboxId).toBeTruthy();
    expect(await refusalOf(service.client.getSandbox({ sandboxId: "x" }))).toMatchObject({
      code: Code.Unavailable,
      reason: ErrorReason.BACKEND_UNAVAILABLE,
    });
    expect(await refusalOf(service.client.listSandboxes({}))).toMatchObject({
      code: Code.Internal,
      reason: undefined,
    });
  });

  test("does nothing of the call, and covers every variant of it", async () => {
    const service = await start({ faults: { fail: { create: "1x", all: "0" } } });
    await refusalOf(create(service));
    expect((await service.client.listSandboxes({ showTerminated: true })).sandboxes).toEqual([]);
    expect(
      await refusalOf(service.client.createSandboxFromTemplate({ templateId: "t" })),
    ).toMatchObject({ code: Code.Unavailable });
  });

  test("reaches the other services, by an RPC's own name", async () => {
    const service = await start({ faults: { fail: { ListAvailableRunners: "1x" } } });
    const discovery = createClient(DiscoveryService, transportOf(service));
    expect(await refusalOf(discovery.listAvailableRunners({}))).toMatchObject({
      code: Code.Unavailable,
    });
    expect((await discovery.listAvailableRunners({})).runners).toHaveLength(1);
  });
});

describe("what is lost on purpose", () => {
  test("has been done: the create's key finds it", async () => {
    const service = await start({ faults: { dropAnswer: { create: "1x" } } });
    const request = { sandbox: { spec: specOf() }, requestId: "lost" };
    const lost = await refusalOf(service.client.createSandbox(request));
    // Whatever a client makes of a connection that is gone; no answer of the service.
    expect(lost.reason).toBeUndefined();
    expect(lost.message).not.toContain("on purpose");
    const { sandboxes } = await service.client.listSandboxes({});
    expect(sandboxes).toHaveLength(1);
    const again = await service.client.createSandbox(request);
    expect(again.sandboxId).toBe(sandboxes[0]?.sandboxId);
  });

  test("takes along every call of its connection", async () => {
    const faults = { latency: { list: "300ms" }, dropAnswer: { list: "1x" } };
    const { client } = await start({ faults });
    const timeoutMs = 5_000;
    const ends = [1, 2, 3, 4].map(() => refusalOf(client.listSandboxes({}, { timeoutMs })));
    // None of them waits on for an answer that nobody will give.
    for (const { code } of await Promise.all(ends)) expect(code).toBe(Code.Canceled);
    expect((await client.listSandboxes({}, { timeoutMs })).sandboxes).toEqual([]);
  });

  test("of a command's stream is how it exited", async () => {
    const service = await start({ faults: { dropAnswer: { StreamExec: "1x" } } });
    const sandboxId = await createRunning(service.client);
    const seen: (string | undefined)[] = [];
    const requests = new Requests();
    const command = ["sh", "-c", "echo a; touch b"];
    requests.send({ case: "init", value: { sandboxId, command } });
    requests.end();
    const stream = async (): Promise<void> => {
      for await (const { message } of service.client.streamExec(requests)) seen.push(message.case);
    };
    await refusalOf(stream());
    expect(seen).not.toContain("exit");
    expect((await run(service.client, sandboxId, "ls")).stdout).toBe("b\n");
  });
});

describe("what is slow on purpose", () => {
  test("keeps a sandbox CREATING, and TERMINATING, and holds up no end of the service", async () => {
    const service = await start({ faults: { latency: { start: "300ms", stop: "300ms" } } });
    const { sandboxId } = await create(service);
    const state = async (): Promise<State | undefined> =>
      (await service.client.getSandbox({ sandboxId })).status?.state;
    expect(await state()).toBe(State.CREATING);
    await eventually(async () => (await state()) === State.RUNNING);
    const { sandbox } = await service.client.deleteSandbox({ sandboxId });
    expect(sandbox?.status?.state).toBe(State.TERMINATING);
    await untilEnded(service.client, sandboxId);
    // One that never starts in time of this test: the service ends all the same.
    const slow = await start({ faults: { latency: { start: "1m", stop: "1m" } } });
    await create(slow);
  });

  test("is waited for before the call is looked at, and given up with it", async () => {
    const service = await start({ faults: { latency: { create: "1m" } } });
    const signal = AbortSignal.timeout(200);
    const call = service.client.createSandbox({ sandbox: { spec: specOf() } }, { signal });
    expect(await refusalOf(call)).toMatchObject({ code: Code.Canceled });
    expect((await service.client.listSandboxes({ showTerminated: true })).sandboxes).toEqual([]);
  });
});

test("more creates than the rate allows are refused, with a time to come back at", async () => {
  const service = await start({ faults: { createRate: "2/min" } });
  await create(service);
  await create(service);
  const refused = await refusalOf(create(service));
  expect(refused).toMatchObject({
    code: Code.ResourceExhausted,
    reason: ErrorReason.RUNNER_OVERLOADED,
  });
  expect(retryDelayOf(refused.error)).toBeGreaterThan(30);
  expect(retryDelayOf(refused.error)).toBeLessThanOrEqual(60);
});

test("says what goes wrong, and with which seed", async () => {
  const service = await start({ faults: { fail: { delete: "0.5" }, seed: 7 } });
  const [notice] = (await service.notices()).filter(({ code }) => code === "faults_injected");
  expect(notice?.message).toContain("delete=0.5");
  expect(notice?.message).toContain("seed 7");
});

test("refuses values that it cannot read, by the option's name", async () => {
  const wrong = {
    "faults.latency": { latency: { create: "2 hours" } },
    "faults.fail": { fail: { create: "1.5" } },
    "faults.dropAnswer": { dropAnswer: { creates: "0.1" } },
    "faults.createRate": { createRate: "fast" },
    "faults.seed": { seed: -1 },
  };
  for (const [option, faults] of Object.entries(wrong)) {
    const outcome = await start({ faults }).catch((error: unknown) => error);
    expect(outcome).toBeInstanceOf(RefusedStart);
    expect(outcome).toMatchObject({
      code: "local_option_invalid",
      message: expect.stringContaining(option),
    });
  }
});

describe("a seed", () => {
  const fates = (faults: Faults, rpc: string) =>
    Array.from({ length: 50 }, () => faults.fateOf(rpc));
  const options = {
    fail: { all: "0.5" },
    dropAnswer: { all: "0.5" },
    latency: { all: "0ms-100ms" },
  };

  test("repeats what happens to each call, whatever other calls come between", () => {
    const first = new Faults({ ...options, seed: 1 });
    const second = new Faults({ ...options, seed: 1 });
    const alone = fates(first, "CreateSandbox");
    fates(second, "GetSandbox");
    expect(fates(second, "CreateSandbox")).toEqual(alone);
    expect(new Set(alone.map(({ failure }) => failure)).size).toBe(2);
    expect(fates(new Faults({ ...options, seed: 2 }), "CreateSandbox")).not.toEqual(alone);
  });

  test("is begun anew with other faults, which take effect at once", () => {
    const faults = new Faults({ fail: { create: "1x" } });
    expect(faults.fateOf("CreateSandbox").failure).toBe(Code.Unavailable);
    expect(faults.fateOf("CreateSandbox").failure).toBeUndefined();
    faults.change({ fail: { CreateSandbox: "1x:internal", all: "unavailable" } });
    expect(faults.fateOf("CreateSandbox").failure).toBe(Code.Internal);
    expect(faults.fateOf("GetSandbox").failure).toBe(Code.Unavailable);
  });
});
