import { Code, ConnectError } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { ErrorReason, RetryInfoSchema, SandboxService, State } from "@tidybox/protocol";
import { expect, test } from "vitest";
import { listenOnLoopback } from "../listener/listen-on-loopback.ts";
import { startedServices, transportOf } from "../testing/started-services.ts";
import {
  createRunning,
  refusalOf,
  run,
  specOf,
  type TestService,
  untilEnded,
} from "../testing/test-service.ts";
import { rehearsalClient } from "./rehearsal-client.ts";

const { start } = startedServices();

const rehearsalOf = (service: TestService) => rehearsalClient(transportOf(service));

const create = ({ client }: TestService) => client.createSandbox({ sandbox: { spec: specOf() } });

test("what goes wrong is changed as a whole, while the service runs", async () => {
  const service = await start({ faults: { fail: { get: "unavailable" }, seed: 3 } });
  const rehearsal = rehearsalOf(service);
  expect(await rehearsal.get()).toEqual({
    faults: { fail: { get: "unavailable" }, seed: 3 },
    activeSandboxes: 0,
    maxSandboxes: undefined,
  });
  const get = () => refusalOf(service.client.getSandbox({ sandboxId: "x" }));
  expect((await get()).code).toBe(Code.Unavailable);
  const faults = { fail: { GetSandbox: "1x:internal" }, latency: { list: "1ms" }, seed: 4 };
  expect((await rehearsal.set(faults)).faults).toEqual(faults);
  expect((await get()).code).toBe(Code.Internal);
  expect((await get()).code).toBe(Code.NotFound);
  // The same once more counts anew.
  await rehearsal.set(faults);
  expect((await get()).code).toBe(Code.Internal);
  const { seed, ...none } = (await rehearsal.set({})).faults;
  expect(none).toEqual({});
  expect(seed).toBeTypeOf("number");
  const codes = (await service.notices()).map(({ code }) => code);
  expect(codes.filter((code) => code.startsWith("faults_"))).toEqual([
    ...Array.from({ length: 3 }, () => "faults_injected"),
    "faults_cleared",
  ]);
});

test("nothing that goes wrong on purpose reaches the calls that change it", async () => {
  const all = { fail: { all: "unavailable" }, dropAnswer: { all: "1" }, latency: { all: "1m" } };
  const service = await start({ faults: all });
  await rehearsalOf(service).set({});
  expect((await create(service)).sandboxId).toBeTruthy();
});

test("values that cannot be read are refused by the option's name, and change nothing", async () => {
  const service = await start({ faults: { quota: 1 } });
  const rehearsal = rehearsalOf(service);
  const wrong = {
    latency: { latency: { create: "fast" }, quota: 0 },
    fail: { fail: { creat: "1x" }, quota: 0 },
    dropAnswer: { dropAnswer: { create: "2" }, quota: 0 },
    createRate: { createRate: "5", quota: 0 },
  };
  for (const [option, faults] of Object.entries(wrong)) {
    await expect(rehearsal.set(faults)).rejects.toMatchObject({
      code: "local_option_invalid",
      message: expect.stringContaining(`faults.${option}`),
    });
  }
  expect((await rehearsal.get()).faults.quota).toBe(1);
});

test("a quota below what is alive refuses creates and ends nothing", async () => {
  const service = await start({ maxSandboxes: 3 });
  const rehearsal = rehearsalOf(service);
  const one = await createRunning(service.client);
  const two = await createRunning(service.client);
  expect(await rehearsal.set({ quota: 1 })).toMatchObject({ activeSandboxes: 2, maxSandboxes: 1 });
  const refused = await refusalOf(create(service));
  expect(refused).toMatchObject({
    code: Code.ResourceExhausted,
    reason: ErrorReason.RUNNER_CAPACITY_EXHAUSTED,
  });
  const retry = refused.error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  expect(Number(retry?.seconds) + Number(retry?.nanos)).toBeGreaterThan(0);
  for (const id of [one, two]) expect((await run(service.client, id, "true")).exitCode).toBe(0);

  await service.client.deleteSandbox({ sandboxId: one });
  await untilEnded(service.client, one);
  expect((await refusalOf(create(service))).code).toBe(Code.ResourceExhausted);
  // In place of the limit that the service was started with, also above it; then that holds again.
  expect((await rehearsal.set({ quota: 9 })).maxSandboxes).toBe(9);
  await create(service);
  expect((await rehearsal.set({ quota: 0 })).maxSandboxes).toBe(0);
  expect((await refusalOf(create(service))).code).toBe(Code.ResourceExhausted);
  expect((await rehearsal.set({})).maxSandboxes).toBe(3);
  await create(service);
  expect((await refusalOf(create(service))).message).toContain("allows 3");
  const still = await service.client.getSandbox({ sandboxId: two });
  expect(still.status?.state).toBe(State.RUNNING);
});

test("needs the service's token, and a service that has rehearsals", async () => {
  const service = await start();
  const stranger = rehearsalClient(createGrpcTransport({ baseUrl: service.baseUrl }));
  const refused = await stranger.set({ quota: 0 }).catch((error: unknown) => error);
  expect(ConnectError.from(refused).code).toBe(Code.Unauthenticated);
  expect((await create(service)).sandboxId).toBeTruthy();
  await using other = await otherService();
  await expect(rehearsalClient(transportOf(other)).get()).rejects.toMatchObject({
    code: "local_rehearsal_unknown",
  });
});

/** Anybody's, behind a token. */
async function otherService() {
  const { close, ...service } = await listenOnLoopback({
    routes: (router) => router.service(SandboxService, {}),
  });
  return { ...service, [Symbol.asyncDispose]: close };
}
