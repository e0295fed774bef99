import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { Code } from "@connectrpc/connect";
import { ErrorReason, Visibility } from "@tidybox/protocol";
import Docker from "dockerode";
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
import { NO_BRIDGE, testDockerGateway, testDockerHost } from "../../testing/tested-engines.ts";

describe.runIf(testDockerHost !== undefined)("the network of sandboxes in Docker", () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startTestService({ engine: "docker" });
  });
  afterAll(() => service.close());

  test("has no network but its own when egress is denied", async () => {
    const spec = specOf({}, { network: { denyEgress: true } });
    const sandboxId = await createRunning(service.client, spec);
    const { stdout } = await sh(service.client, sandboxId, "ls /sys/class/net");
    expect(stdout.trim()).toBe("lo");
    // The tests' own daemon has no other network to give.
    const { HostConfig: config } = await new Docker()
      .getContainer(`tidybox-${sandboxId}`)
      .inspect();
    expect(config.NetworkMode).toBe("none");
  });

  test.skipIf(testDockerGateway !== undefined)("reaches out, or not", (context) =>
    context.skip(NO_BRIDGE),
  );

  test.runIf(testDockerGateway !== undefined)(
    "reaches this machine where egress is open, and not where it is denied",
    async () => {
      const server = createServer((socket) => socket.end("from outside\n"));
      server.listen(0, testDockerGateway);
      await once(server, "listening");
      const { port } = server.address() as AddressInfo;
      try {
        const ask = async (network: SpecInit["network"]) => {
          const spec = specOf({}, network && { network });
          const sandboxId = await createRunning(service.client, spec);
          const script = `nc -w 3 ${testDockerGateway} ${port} </dev/null`;
          return (await sh(service.client, sandboxId, script)).stdout;
        };
        expect(await ask(undefined)).toBe("from outside\n");
        expect(await ask({ denyEgress: false })).toBe("from outside\n");
        expect(await ask({ denyEgress: true })).toBe("");
        // Nothing that Docker has could enforce it.
        const egress = [{ destination: { case: "cidr", value: { cidr: "10.0.0.0/8" } } }] as const;
        const spec = specOf({}, { network: { egress: [...egress] } });
        const refused = service.client.createSandbox({ sandbox: { spec: spec as object } });
        expect(await refusalOf(refused)).toMatchObject({
          code: Code.Unimplemented,
          reason: ErrorReason.NOT_IMPLEMENTED,
          message: expect.stringContaining("egress rules by address"),
        });
      } finally {
        server.close();
      }
    },
  );

  test("refuses ports of a sandbox whose egress is denied", async () => {
    const spec = specOf(
      {},
      { services: [{ port: 80, visibility: Visibility.PUBLIC }], network: { denyEgress: true } },
    );
    const refused = service.client.createSandbox({ sandbox: { spec: spec as object } });
    expect(await refusalOf(refused)).toMatchObject({
      code: Code.FailedPrecondition,
      reason: ErrorReason.NO_SUITABLE_RUNNER,
      message: expect.stringMatching(/deny_egress|services/),
    });
  });
});
