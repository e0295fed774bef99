import { Code } from "@connectrpc/connect";
import { ErrorReason } from "@tidybox/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  createRunning,
  refusalOf,
  sh,
  specOf,
  type SpecInit,
  startTestService,
  type TestService,
} from "../../testing/test-service.ts";
import { fullEngines } from "../../testing/tested-engines.ts";

describe.each(fullEngines)("a security context with the engine %s", (engine) => {
  let service: TestService;
  beforeAll(async () => {
    service = await startTestService({ engine });
  });
  afterAll(() => service.close());

  test("a read-only root can be written in volumes and shared memory only, also where a spare was there", async () => {
    const { client } = service;
    // Whoever asks for one has a spare made that is like it.
    await client.deleteSandbox({ sandboxId: await createRunning(client) });
    const sandboxId = await createRunning(
      client,
      specOf(
        {
          securityContext: { readOnlyRootFilesystem: true, runAsUser: 0, runAsGroup: 0 },
          volumeMounts: [{ volume: "data", mountPath: "/data" }],
        },
        { volumes: [{ name: "data", source: { case: "scratch", value: {} } }] },
      ),
    );
    const places = [
      "/",
      "/tmp",
      "/root",
      "/var",
      "/workspace",
      "/opt",
      "/etc",
      "/usr",
      "/dev/shm",
      "/data",
    ];
    const script = places.map((place) => `echo x 2>/dev/null >${place}/file && echo ${place}`);
    expect((await sh(client, sandboxId, `${script.join("; ")}; true`)).stdout).toBe(
      "/dev/shm\n/data\n",
    );
    const content = new Uint8Array(1);
    const refusal = await refusalOf(client.writeFile({ sandboxId, path: "/tmp/file", content }));
    expect(refusal.reason).toBe(ErrorReason.FILE_PERMISSION_DENIED);
    await client.deleteSandbox({ sandboxId });
    const plain = await createRunning(
      client,
      specOf({ securityContext: { readOnlyRootFilesystem: true } }),
    );
    expect((await sh(client, plain, "echo x >/tmp/file")).exitCode).not.toBe(0);
    await client.deleteSandbox({ sandboxId: plain });
  });

  test("what a security context cannot have here is refused, of every container", async () => {
    const image = "python:3.11";
    // Docker has its own for every container, and bubblewrap none.
    const [own, other] =
      engine === "docker" ? ["RuntimeDefault", "Unconfined"] : ["Unconfined", "RuntimeDefault"];
    const refused = [
      ["users other than root", { runAsUser: 1000 }],
      ["groups other than root", { runAsGroup: 1000 }],
      ["privileged containers", { privileged: true }],
      ["privilege escalation", { allowPrivilegeEscalation: true }],
      ["added capabilities", { capabilitiesAdd: ["NET_ADMIN"] }],
      [`the seccomp profile ${other}`, { seccompProfile: other }],
    ] as const;
    for (const [words, securityContext] of refused) {
      const side = { name: "other", image, command: "true", securityContext } as object;
      const specs = [
        specOf({ securityContext } as object),
        specOf({}, { initContainers: [side] } as SpecInit),
        { containers: [{ name: "main", image }, side], primaryContainer: "main" } as SpecInit,
      ];
      for (const spec of specs) {
        const refusal = await refusalOf(service.client.createSandbox({ sandbox: { spec } }));
        expect(refusal).toMatchObject({
          code: Code.Unimplemented,
          reason: ErrorReason.NOT_IMPLEMENTED,
          message: expect.stringContaining(words),
        });
      }
    }
    const dropped = specOf({
      securityContext: {
        capabilitiesDrop: ["ALL"],
        seccompProfile: own,
        privileged: false,
      },
    });
    const sandboxId = await createRunning(service.client, dropped);
    const { stdout } = await sh(service.client, sandboxId, "grep ^Cap /proc/self/status");
    expect(stdout).toMatch(/^CapEff:\t0{16}$/m);
    expect(stdout).toMatch(/^CapBnd:\t0{16}$/m);
    await service.client.deleteSandbox({ sandboxId });
  });
});

test("the engine process refuses a read-only root", async () => {
  const own = await startTestService({ engine: "process" });
  try {
    const spec = specOf({ securityContext: { readOnlyRootFilesystem: true } });
    const refusal = await refusalOf(own.client.createSandbox({ sandbox: { spec } }));
    expect(refusal).toMatchObject({
      code: Code.Unimplemented,
      reason: ErrorReason.NOT_IMPLEMENTED,
    });
  } finally {
    await own.close();
  }
});
