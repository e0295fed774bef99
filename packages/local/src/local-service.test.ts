import { readFileSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { afterEach, describe, expect, test } from "vitest";
import { Code } from "@connectrpc/connect";
import { markedProcesses } from "./engines/process/marked-processes.ts";
import { findLocalServices } from "./index.ts";
import {
  connectTo,
  createRunning,
  eventually,
  refusalOf,
  RefusedStart,
  specOf,
  startTestService,
  stateFolders,
  type TestService,
  type TestServiceOptions,
  secretOf,
} from "./testing/test-service.ts";

const services: TestService[] = [];

async function start(options: TestServiceOptions = {}): Promise<TestService> {
  const service = await startTestService(options);
  services.push(service);
  return service;
}

afterEach(async () => {
  for (const service of services.splice(0)) await service.close();
});

async function refusedStart(options: TestServiceOptions): Promise<RefusedStart> {
  const outcome = await start(options).catch((error: unknown) => error);
  expect(outcome).toBeInstanceOf(RefusedStart);
  return outcome as RefusedStart;
}

describe("a local service", () => {
  test("refuses addresses that others could reach", async () => {
    for (const host of ["0.0.0.0", "::", "192.168.1.1", "example.com"]) {
      const error = await refusedStart({ host });
      expect(error.code).toBe("local_address_refused");
      expect(error.message).toContain("127.0.0.1");
    }
  });

  test("names the option that is wrong", async () => {
    expect(await refusedStart({ maxSandboxes: 0 })).toMatchObject({
      code: "local_option_invalid",
      message: expect.stringContaining("maxSandboxes"),
    });
    expect(await refusedStart({ engine: "podman" as "auto" })).toMatchObject({
      code: "local_option_invalid",
      message: expect.stringContaining("bubblewrap"),
    });
    expect(await refusedStart({ images: { "node:22": "/nowhere" } })).toMatchObject({
      code: "local_option_invalid",
      message: expect.stringContaining('images["node:22"]'),
    });
    expect(
      await refusedStart({ engine: "docker", images: { "node:22": "/somewhere" } }),
    ).toMatchObject({
      code: "local_option_invalid",
      message: expect.stringContaining("in Docker"),
    });
  });

  test("says that its port is taken", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address() as { port: number };
    expect(await refusedStart({ port })).toMatchObject({
      code: "local_address_refused",
      message: expect.stringContaining(String(port)),
    });
    taken.close();
  });

  test("answers only whoever has the token", async () => {
    const { baseUrl, token } = await start({ token: "a-token" });
    expect(token).toBe("a-token");
    for (const wrong of [undefined, "", "a-toke", "a-token2"]) {
      const refusal = await refusalOf(connectTo(baseUrl, wrong).listSandboxes({}));
      expect(refusal).toMatchObject({
        code: Code.Unauthenticated,
        message: expect.stringContaining("authorization"),
      });
    }
    expect((await connectTo(baseUrl, "a-token").listSandboxes({})).sandboxes).toEqual([]);
    expect(await connectStatus(baseUrl)).toBe(401);
  });

  test("is found by its account, with its token, while it lives", async () => {
    const { baseUrl, token, process: child } = await start({ label: "run 7f3k2" });
    // findLocalServices looks into the temp folder; a test service has one of its own.
    const before = process.env["TMPDIR"];
    process.env["TMPDIR"] = services[0]?.folder ?? "";
    try {
      expect(await findLocalServices()).toContainEqual({
        baseUrl,
        token,
        pid: child.pid,
        label: "run 7f3k2",
      });
    } finally {
      if (before === undefined) delete process.env["TMPDIR"];
      else process.env["TMPDIR"] = before;
    }
  });

  test("keeps no secret in its folder, and the folder to itself", async () => {
    const service = await start();
    const [folder = ""] = stateFolders(service);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(readFileSync(`${folder}/owner.json`, "utf8")).not.toContain(service.token);
    const helper = markedProcesses(`TIDYBOX_TEST_SECRET=${secretOf(service.folder)}`);
    // The helper process gets an environment of its own: only the service itself has ours.
    expect(helper).toEqual([service.process.pid]);
  });

  test("ends every sandbox when it is closed, daemons too", async () => {
    const service = await start();
    for (let count = 0; count < 3; count += 1) {
      const sandboxId = await createRunning(service.client);
      const env = { LOCAL_SERVICE_TEST: "close" };
      await service.client.exec({
        sandboxId,
        env,
        command: ["/bin/sh", "-c", "setsid sleep 600 & setsid sh -c 'sleep 600; true' &"],
      });
    }
    await eventually(() => markedProcesses("LOCAL_SERVICE_TEST=close").length >= 6);
    services.splice(0);
    await service.close();
    expect(markedProcesses("LOCAL_SERVICE_TEST=close")).toEqual([]);
  });

  test("tells once that an image runs on the host's programs, and never of the default", async () => {
    const service = await start();
    await createRunning(service.client);
    for (let count = 0; count < 2; count += 1)
      await createRunning(service.client, specOf({ image: "node:22" }));
    const notices = await service.notices();
    expect(notices.map(({ code }) => code)).toEqual(["image_not_mapped"]);
    expect(notices[0]?.message).toContain("node:22");
  });

  test.runIf(process.getuid?.() === 0)(
    "gives root up, and says so when it was told not to",
    async () => {
      const dropped = await start();
      const { pid } = dropped.process;
      expect(readFileSync(`/proc/${pid}/status`, "utf8")).not.toMatch(/^Uid:\s+0\s/m);
      expect(readFileSync(`/proc/${pid}/status`, "utf8")).toMatch(/^Groups:\s*$/m);
      const kept = await start({ keepRoot: true });
      expect(readFileSync(`/proc/${kept.process.pid}/status`, "utf8")).toMatch(/^Uid:\s+0\s/m);
      expect((await kept.notices()).map(({ code }) => code)).toEqual(["root_kept"]);
    },
  );
});

/** HTTP status of a Connect call without a token. */
function connectStatus(baseUrl: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2(baseUrl);
    session.on("error", reject);
    const request = session.request({
      ":method": "POST",
      ":path": "/coreweave.sandbox.v1.SandboxService/ListSandboxes",
      "content-type": "application/json",
    });
    request.on("response", (headers) => {
      session.destroy();
      resolve(Number(headers[":status"]));
    });
    request.on("error", reject);
    request.end("{}");
  });
}
