import Docker from "dockerode";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  createRunning,
  sh,
  specOf,
  type SpecInit,
  startTestService,
  type TestService,
} from "../../testing/test-service.ts";
import { testDockerHost } from "../../testing/tested-engines.ts";
import { OWNER_LABEL } from "./owner-label.ts";

describe.runIf(testDockerHost !== undefined)("what services leave in Docker", () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startTestService({ engine: "docker" });
  });
  afterAll(() => service.close());

  test("removes what a killed service has left of 20 sandboxes, and nothing of one that lives", async () => {
    const docker = new Docker();
    const ours = async (owner: TestService) => {
      const filters = { label: [OWNER_LABEL] };
      const containers = await docker.listContainers({ all: true, filters });
      const { Volumes: volumes } = await docker.listVolumes({ filters });
      return [...containers, ...((volumes as typeof volumes | null) ?? [])].filter((each) =>
        each.Labels[OWNER_LABEL]?.includes(`"pid":${owner.process.pid},`),
      ).length;
    };
    const lives = await createRunning(service.client);
    // Nobody may take it for a sandbox: it has no label.
    const stranger = await docker.createContainer({
      ...{ Image: "tidybox-test:busybox", name: `tidybox-stranger-${process.pid}` },
      ...{ Cmd: ["/bin/sh", "-c", "sleep 600"], HostConfig: { NetworkMode: "none" } },
    });
    await stranger.start();
    const crashed = await startTestService({ engine: "docker" });
    const rest: SpecInit = {
      volumes: [{ name: "data", source: { case: "scratch", value: {} } }],
    };
    const mount = { volumeMounts: [{ volume: "data", mountPath: "/data" }] };
    const spec = specOf(mount, rest);
    await Promise.all(Array.from({ length: 20 }, () => createRunning(crashed.client, spec)));
    expect(await ours(crashed)).toBe(40);
    crashed.process.kill("SIGKILL");
    await crashed.close().catch(() => {});
    const next = await startTestService({ engine: "docker" });
    try {
      expect(await ours(crashed)).toBe(0);
      expect((await sh(service.client, lives, "echo here")).stdout).toBe("here\n");
      expect((await stranger.inspect()).State.Running).toBe(true);
    } finally {
      await next.close();
      await stranger.remove({ force: true });
    }
  }, 120_000);

  test("leaves nothing in Docker when the service is closed", async () => {
    const own = await startTestService({ engine: "docker" });
    const volumes: SpecInit = {
      volumes: [{ name: "data", source: { case: "scratch", value: {} } }],
    };
    const mount = { volumeMounts: [{ volume: "data", mountPath: "/data" }] };
    const sandboxId = await createRunning(own.client, specOf(mount, volumes));
    await own.close();
    const docker = new Docker();
    const name = `tidybox-${sandboxId}`;
    await expect(docker.getContainer(name).inspect()).rejects.toMatchObject({ statusCode: 404 });
    await expect(docker.getVolume(`${name}-data`).inspect()).rejects.toMatchObject({
      statusCode: 404,
    });
  });
});
