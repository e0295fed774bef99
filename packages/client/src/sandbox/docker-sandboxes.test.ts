import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestService, testDockerHost, type TestService } from "../testing/local-service.ts";
import { Sandbox } from "./sandbox.ts";

test.skipIf(testDockerHost !== undefined)("runs in Docker", (context) =>
  context.skip("needs Docker: `npm test` starts one where it runs as root on Debian or Ubuntu"),
);

describe.runIf(testDockerHost !== undefined)("sandboxes in Docker", () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startTestService({ engine: "docker" });
  });
  afterAll(() => service[Symbol.asyncDispose]());

  test("run the image that was asked for: commands, files, logs, the end", async () => {
    const { connection } = service;
    const script = "echo begun; while :; do sleep 0.1; done";
    const sandbox = await Sandbox.run(["/bin/sh", "-c", script], {
      connection,
      containerImage: "tidybox-test:busybox",
      environment: { COLOR: "green" },
    });
    try {
      const result = await sandbox.exec(["sh", "-c", "cat /etc/test-image; echo $COLOR; exit 3"]);
      expect(result).toMatchObject({ stdout: "busybox\ngreen\n", exitCode: 3 });
      await sandbox.writeFile("/data/in", "given");
      expect((await sandbox.exec(["cat", "/data/in"])).stdout).toBe("given");
      expect(Buffer.from(await sandbox.readFile("/etc/test-image")).toString()).toBe("busybox\n");
      expect(await sandbox.logs().text()).toBe("begun\n");
    } finally {
      await sandbox.stop();
    }
    expect((await sandbox.status()).state).toBe("terminated");
  });

  test("fail with Docker's reason where the image is nowhere", async () => {
    const { connection } = service;
    const run = Sandbox.run({ connection, containerImage: "127.0.0.1:9/no/such:image" });
    await expect(run).rejects.toThrow(/127\.0\.0\.1:9\/no\/such:image/);
  });
});
