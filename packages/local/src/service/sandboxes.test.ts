import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Code } from "@connectrpc/connect";
import {
  BadRequestSchema,
  ErrorReason,
  ObjectStoragePermission,
  RetryInfoSchema,
  SandboxMode,
  State,
  StorageMedium,
} from "@tidybox/protocol";
import {
  createRunning,
  refusalOf,
  specOf,
  type SpecInit,
  startTestService,
  type TestService,
  until,
} from "../testing/test-service.ts";

describe("creating, listing and purging", () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startTestService({ engine: "bubblewrap", maxSandboxes: 12 });
  });
  afterAll(() => service.close());

  const create = (spec: SpecInit, requestId = "") =>
    service.client.createSandbox({ sandbox: { spec }, requestId });
  const purge = () => service.client.purgeSandboxes({ purgeAll: true });
  const ids = async (
    request: Parameters<TestService["client"]["listSandboxes"]>[0],
  ): Promise<string[]> =>
    (await service.client.listSandboxes(request)).sandboxes.map(({ sandboxId }) => sandboxId);

  test("one token makes one sandbox, however often and however fast it is sent", async () => {
    const spec = specOf({ environmentVariables: { A: "1", B: "2" } }, { tags: ["once"] });
    const answers = await Promise.all(Array.from({ length: 5 }, () => create(spec, "token-1")));
    expect(new Set(answers.map(({ sandboxId }) => sandboxId)).size).toBe(1);
    // Maps have no order on the wire.
    const again = await create(
      specOf({ environmentVariables: { B: "2", A: "1" } }, { tags: ["once"] }),
      "token-1",
    );
    expect(again.sandboxId).toBe(answers[0]?.sandboxId);
    expect(await ids({ tags: ["once"] })).toHaveLength(1);
    await service.client.deleteSandbox({ sandboxId: again.sandboxId });
    // Also when that sandbox has ended since.
    expect((await create(spec, "token-1")).sandboxId).toBe(again.sandboxId);
    expect((await create(spec, "token-2")).sandboxId).not.toBe(again.sandboxId);
    const conflict = await refusalOf(create(specOf({}, { tags: ["other"] }), "token-1"));
    expect(conflict).toMatchObject({
      code: Code.InvalidArgument,
      reason: ErrorReason.INVALID_ARGUMENT,
      message: expect.stringContaining("request_id"),
    });
    await purge();
  });

  test("counts starting and stopping sandboxes against the limit, and says when to come back", async () => {
    for (let count = 0; count < 12; count += 1) await create(specOf());
    const refusal = await refusalOf(create(specOf()));
    expect(refusal).toMatchObject({
      code: Code.ResourceExhausted,
      reason: ErrorReason.RUNNER_CAPACITY_EXHAUSTED,
    });
    expect(refusal.error.findDetails(RetryInfoSchema)[0]?.retryDelay).toBeDefined();
    expect((await purge()).purgeCount).toBe(12);
    await create(specOf());
    await purge();
  });

  test("pages stay true while sandboxes come and go", async () => {
    const made: string[] = [];
    for (let count = 0; count < 6; count += 1)
      made.push(await createRunning(service.client, specOf({}, { tags: ["paged"] })));
    const request = { tags: ["paged"], pageSize: 2, showTerminated: true };
    const first = await service.client.listSandboxes(request);
    await service.client.deleteSandbox({ sandboxId: made[0] ?? "" });
    await service.client.deleteSandbox({ sandboxId: made[3] ?? "" });
    made.push(await createRunning(service.client, specOf({}, { tags: ["paged"] })));
    const seen = first.sandboxes.map(({ sandboxId }) => sandboxId);
    for (let pageToken = first.nextPageToken; pageToken !== "";) {
      const page = await service.client.listSandboxes({ ...request, pageToken });
      seen.push(...page.sandboxes.map(({ sandboxId }) => sandboxId));
      pageToken = page.nextPageToken;
    }
    expect(seen).toEqual(made);
    await purge();
  });

  test("refuses a page token that is none of its own", async () => {
    for (const pageToken of ["x", "dGlkeWJveA", "999"]) {
      expect(await refusalOf(service.client.listSandboxes({ pageToken }))).toMatchObject({
        code: Code.InvalidArgument,
      });
    }
    expect(await refusalOf(service.client.listSandboxes({ pageSize: -1 }))).toMatchObject({
      code: Code.InvalidArgument,
    });
  });

  test("filters by all tags, by state, by runner, and hides what has ended", async () => {
    const ab = await createRunning(service.client, specOf({}, { tags: ["a", "b"] }));
    const a = await createRunning(service.client, specOf({}, { tags: ["a"] }));
    const gone = await createRunning(service.client, specOf({}, { tags: ["a", "gone"] }));
    await service.client.deleteSandbox({ sandboxId: gone });
    await until(service.client, gone, (state) => state === State.TERMINATED);
    expect(await ids({ tags: ["a"] })).toEqual([ab, a]);
    expect(await ids({ tags: ["a", "b"] })).toEqual([ab]);
    expect(await ids({ tags: ["a", "none"] })).toEqual([]);
    expect(await ids({ tags: ["a"], showTerminated: true })).toEqual([ab, a, gone]);
    expect(await ids({ tags: ["gone"], state: State.TERMINATED })).toEqual([gone]);
    expect(await ids({ tags: ["a"], state: State.RUNNING, showTerminated: true })).toEqual([ab, a]);
    const runner = (await service.client.getSandbox({ sandboxId: a })).status?.runnerId ?? "";
    expect(await ids({ runnerIds: ["other", runner] })).toEqual([ab, a]);
    expect(await ids({ runnerIds: ["other"] })).toEqual([]);
    expect(await ids({ volumeIds: ["v"] })).toEqual([]);
    await purge();
  });

  test("purges one scope: what carries all the tags, or everything", async () => {
    const both = await createRunning(service.client, specOf({}, { tags: ["p", "q"] }));
    const one = await createRunning(service.client, specOf({}, { tags: ["p"] }));
    const dry = await service.client.purgeSandboxes({ tags: ["p"], dryRun: true });
    expect(dry).toMatchObject({ purgeCount: 2, failedSandboxIds: [] });
    expect(await ids({})).toEqual([both, one]);
    expect(await service.client.purgeSandboxes({ tags: ["p", "q"] })).toMatchObject({
      purgeCount: 1,
      failedSandboxIds: [],
    });
    expect(await ids({})).toEqual([one]);
    expect((await purge()).purgeCount).toBe(1);
    expect((await purge()).purgeCount).toBe(0);
    expect(await refusalOf(service.client.purgeSandboxes({}))).toMatchObject({
      code: Code.InvalidArgument,
    });
    expect(
      await refusalOf(service.client.purgeSandboxes({ tags: ["p"], purgeAll: true })),
    ).toMatchObject({ code: Code.InvalidArgument });
    expect(
      await refusalOf(service.client.purgeSandboxes({ purgeAll: true, requestId: "x" })),
    ).toMatchObject({ code: Code.Unimplemented });
  });

  const invalid: readonly (readonly [string, SpecInit, string])[] = [
    ["no container", { containers: [] }, "containers"],
    ["no image", specOf({ image: " " }), "containers[0].image"],
    ["a tag that ends in a dash", specOf({}, { tags: ["a-"] }), "tags[0]"],
    ["a tag of 60 characters", specOf({}, { tags: ["a".repeat(60)] }), "tags[0]"],
    ["a tag twice", specOf({}, { tags: ["a", "a"] }), "tags"],
    ["a negative lifetime", specOf({}, { maxLifetimeSeconds: -1 }), "max_lifetime_seconds"],
    [
      "a lifetime over 30 days",
      specOf({}, { maxLifetimeSeconds: 30 * 86_400 + 1 }),
      "max_lifetime_seconds",
    ],
    [
      "two containers of one name",
      {
        containers: [
          { name: "a", image: "i" },
          { name: "a", image: "i" },
        ],
        primaryContainer: "a",
      },
      "containers",
    ],
    ["an unknown primary container", specOf({}, { primaryContainer: "b" }), "primary_container"],
    ["args without a command", specOf({ args: ["x"] }), "containers[0].args"],
    [
      "a relative file",
      specOf({ files: [{ path: "x", content: new Uint8Array() }] }),
      "containers[0].files[0].path",
    ],
    [
      "a file that is a folder",
      specOf({ files: [{ path: "/x/", content: new Uint8Array() }] }),
      "containers[0].files[0].path",
    ],
    [
      "a mount at /proc/x",
      specOf(
        { volumeMounts: [{ volume: "v", mountPath: "/proc/x" }] },
        { volumes: [{ name: "v" }] },
      ),
      "containers[0].volume_mounts[0].mount_path",
    ],
    [
      "a mount that is not normalized",
      specOf(
        { volumeMounts: [{ volume: "v", mountPath: "/a/../b" }] },
        { volumes: [{ name: "v" }] },
      ),
      "containers[0].volume_mounts[0].mount_path",
    ],
    [
      "a mount of no volume",
      specOf({ volumeMounts: [{ volume: "w", mountPath: "/a" }] }),
      "containers[0].volume_mounts[0].volume",
    ],
    ["a volume's odd name", specOf({}, { volumes: [{ name: "a b" }] }), "volumes[0].name"],
    [
      "memory without size",
      specOf({}, { volumes: [{ name: "v", source: { case: "scratch", value: { medium: 2 } } }] }),
      "volumes[0].scratch.size",
    ],
    ["port 0", specOf({}, { services: [{ port: 0 }] }), "services[0].port"],
    [
      "egress rules that are denied",
      specOf(
        {},
        { network: { denyEgress: true, egress: [{ destination: { case: "any", value: true } }] } },
      ),
      "network.egress",
    ],
    ["runner ids without mode CKS", specOf({}, { runnerIds: ["r"] }), "runner_ids"],
    [
      "a variable without a name",
      specOf({ environmentVariables: { "": "x" } }),
      "containers[0].environment_variables",
    ],
  ];
  test.each(invalid)("finds invalid: %s", async (_, spec, field) => {
    const refusal = await refusalOf(create(spec));
    expect(refusal).toMatchObject({
      code: Code.InvalidArgument,
      reason: ErrorReason.INVALID_ARGUMENT,
    });
    const violations = refusal.error.findDetails(BadRequestSchema)[0]?.fieldViolations ?? [];
    expect(violations.map((violation) => violation.field)).toContain(`sandbox.spec.${field}`);
  });

  const missing: readonly (readonly [string, SpecInit])[] = [
    [
      "volumes in memory that several containers mount",
      {
        containers: ["a", "b"].map((name) => ({
          ...{ name, image: "i" },
          volumeMounts: [{ volume: "v", mountPath: "/v" }],
        })),
        primaryContainer: "a",
        volumes: [
          {
            name: "v",
            source: { case: "scratch", value: { medium: StorageMedium.MEMORY, size: "1Mi" } },
          },
        ],
      },
    ],
    [
      "init containers without a command",
      specOf({}, { initContainers: [{ name: "i", image: "i" }] }),
    ],
    [
      "private images",
      specOf({
        imagePullCredentials: {
          registry: "registry.example.com",
          credentials: { storeName: "s", path: "p" },
        },
      }),
    ],
    [
      "egress rules",
      specOf({}, { network: { egress: [{ destination: { case: "dnsName", value: "a.com" } }] } }),
    ],
    [
      "object storage",
      specOf(
        {},
        { objectStorageAccess: { buckets: ["b"], permission: ObjectStoragePermission.READ } },
      ),
    ],
    ["privileged", specOf({ securityContext: { privileged: true } })],
  ];
  test.each(missing)("refuses in words what one machine has not: %s", async (words, spec) => {
    expect(await refusalOf(create(spec))).toMatchObject({
      code: Code.Unimplemented,
      reason: ErrorReason.NOT_IMPLEMENTED,
      message: expect.stringContaining(words),
    });
  });

  const elsewhere: readonly (readonly [string, SpecInit])[] = [
    [
      "containers[0].resource_requirements.requests.gpu",
      specOf({ resourceRequirements: { requests: { gpu: { count: 1n } } } }),
    ],
    ["mode", specOf({}, { mode: SandboxMode.CKS })],
    ["instance_type", specOf({}, { instanceType: "x" })],
  ];
  test.each(elsewhere)("says that another runner may have: %s", async (field, spec) => {
    const refusal = await refusalOf(create(spec));
    expect(refusal).toMatchObject({
      code: Code.FailedPrecondition,
      reason: ErrorReason.NO_SUITABLE_RUNNER,
      message: expect.stringContaining(`sandbox.spec.${field}`),
    });
    expect(refusal.error.findDetails(BadRequestSchema)[0]?.fieldViolations).toMatchObject([
      { field: `sandbox.spec.${field}` },
    ]);
  });
});

test("the engine process refuses what it could only pretend", async () => {
  const service = await startTestService({ engine: "process" });
  try {
    const refuse = (spec: SpecInit) =>
      refusalOf(service.client.createSandbox({ sandbox: { spec } }));
    expect(await refuse(specOf({}, { network: { denyEgress: true } }))).toMatchObject({
      code: Code.FailedPrecondition,
      message: expect.stringContaining("bubblewrap"),
    });
    const mount = specOf(
      { volumeMounts: [{ volume: "v", mountPath: "/data" }] },
      { volumes: [{ name: "v" }] },
    );
    expect(await refuse(mount)).toMatchObject({ code: Code.FailedPrecondition });
    expect(await refuse(specOf({ workingDir: "/app" }))).toMatchObject({
      code: Code.FailedPrecondition,
    });
  } finally {
    await service.close();
  }
});
