import { Code } from "@connectrpc/connect";
import { ErrorReason, State } from "@tidybox/protocol";
import Docker from "dockerode";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DockerProxy } from "../../testing/docker-proxy.ts";
import { Requests } from "../../testing/requests.ts";
import {
  createRunning,
  eventually,
  refusalOf,
  sh,
  specOf,
  startTestService,
  type TestService,
  untilEnded,
} from "../../testing/test-service.ts";
import { testDockerHost } from "../../testing/tested-engines.ts";
import { SERVICE_LABEL } from "./owner-label.ts";

/** Of one call to Docker that gets no answer, and some more. */
const CALL_MILLISECONDS = 45_000;

describe.runIf(testDockerHost !== undefined)("a Docker that fails", () => {
  let proxy: DockerProxy;
  let service: TestService;
  let docker: Docker;

  beforeEach(async () => {
    docker = new Docker();
    proxy = await DockerProxy.start();
    const host = process.env["DOCKER_HOST"];
    process.env["DOCKER_HOST"] = proxy.host;
    service = await startTestService({ engine: "docker" });
    process.env["DOCKER_HOST"] = host;
  });

  afterEach(async () => {
    try {
      await service.close();
    } finally {
      proxy.close();
    }
    const left = await containersOf(docker, service);
    if (left.length > 0) throw new Error(`${left.length} containers of the service are left`);
  });

  const reasonOf = async (sandboxId: string): Promise<string> => {
    const { status } = await untilEnded(service.client, sandboxId);
    expect(status?.state).toBe(State.FAILED);
    return status?.stateReason ?? "";
  };

  test("is asked for nothing but what a sandbox needs, and pulls nothing that is there", async () => {
    const begun = proxy.requests.length;
    const sandboxId = await createRunning(service.client);
    await sh(service.client, sandboxId, "true");
    await service.client.deleteSandbox({ sandboxId });
    const asked = proxy.requests.slice(begun).filter((line) => /images|create/.test(line));
    // Nothing of what is in the sandbox is in an address, which others write into their logs.
    expect(asked).toEqual([`POST /containers/create?name=tidybox-${sandboxId}`]);
  });

  test("may be slow: sandboxes run all the same", async () => {
    proxy.delayMilliseconds = 150;
    const sandboxId = await createRunning(service.client);
    expect(await sh(service.client, sandboxId, "echo out; echo err >&2; exit 3")).toEqual({
      stdout: "out\n",
      stderr: "err\n",
      exitCode: 3,
    });
    await service.client.writeFile({ sandboxId, path: "/tmp/a", content: Buffer.from("kept") });
    const { content } = await service.client.readFile({ sandboxId, path: "/tmp/a" });
    expect(Buffer.from(content).toString()).toBe("kept");
    await service.client.deleteSandbox({ sandboxId });
    const ended = await untilEnded(service.client, sandboxId);
    expect(ended.status?.state).toBe(State.TERMINATED);
  });

  test("may be gone in the middle: all that ran has ended, and the reason says so", async () => {
    const sandboxId = await createRunning(service.client);
    const requests = new Requests();
    const command = ["/bin/sh", "-c", "echo begun; sleep 600"];
    requests.send({ case: "init", value: { sandboxId, command } });
    const running = service.client.streamExec(requests)[Symbol.asyncIterator]();
    while ((await running.next()).value?.message.case !== "output");
    proxy.cut();
    expect(await reasonOf(sandboxId)).toContain("Docker no longer tells of the container");
    expect((await running.next()).value?.message).toMatchObject({
      case: "exit",
      value: { exitCode: 137 },
    });
    expect(await refusalOf(sh(service.client, sandboxId, "true"))).toMatchObject({
      code: Code.FailedPrecondition,
      reason: ErrorReason.SANDBOX_NOT_RUNNING,
    });
    const { sandboxId: next } = await service.client.createSandbox({
      sandbox: { spec: specOf() },
    });
    expect(await reasonOf(next)).toMatch(/Docker could not make a container .*docker\.sock/);
    // It lived by what this service held of it.
    await eventually(async () => (await runningOf(docker, service)).length === 0);
    await expect(service.close()).rejects.toThrow(/ended with 1/);
    service = await startTestService({ engine: "docker" });
  });

  test(
    "may say nothing any more: every call is answered in time",
    { timeout: 4 * CALL_MILLISECONDS },
    async () => {
      const sandboxId = await createRunning(service.client);
      proxy.silence();
      const begun = Date.now();
      const refused = refusalOf(sh(service.client, sandboxId, "true"));
      const { sandboxId: next } = await service.client.createSandbox({
        sandbox: { spec: specOf() },
      });
      expect(await refused).toMatchObject({
        code: Code.Unavailable,
        reason: ErrorReason.BACKEND_UNAVAILABLE,
        message: expect.stringMatching(/no answer within 30 s.*docker info/),
      });
      expect(await reasonOf(next)).toContain("no answer within 30 s");
      expect(Date.now() - begun).toBeLessThan(CALL_MILLISECONDS);
      proxy.cut();
      expect(await reasonOf(sandboxId)).toContain("Docker no longer tells of the container");
      await expect(service.close()).rejects.toThrow(/ended with 1/);
      service = await startTestService({ engine: "docker" });
    },
  );
});

function containersOf(docker: Docker, service: TestService) {
  return listed(docker, service, true);
}

function runningOf(docker: Docker, service: TestService) {
  return listed(docker, service, false);
}

/** Ids of the containers that a service has made. */
async function listed(docker: Docker, service: TestService, all: boolean) {
  const found = await docker.listContainers({ all, filters: { label: [SERVICE_LABEL] } });
  const owner = `"pid":${service.process.pid},`;
  return found.filter(({ Labels: labels }) =>
    JSON.stringify(labels).includes(owner.replaceAll('"', '\\"')),
  );
}
