import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Code } from "@connectrpc/connect";
import { ErrorReason } from "@tidybox/protocol";
import {
  createRunning,
  refusalOf,
  sh,
  specOf,
  startTestService,
  type TestService,
} from "../testing/test-service.ts";
import { testedEngines } from "../testing/tested-engines.ts";

const CAP = 32 * 1024 * 1024;

describe.each(testedEngines)("files with the engine %s", (engine) => {
  let service: TestService;
  let sandboxId: string;
  beforeAll(async () => {
    service = await startTestService({ engine });
    sandboxId = await createRunning(service.client);
  });
  afterAll(() => service.close());

  const read = async (path: string): Promise<Buffer> =>
    Buffer.from((await service.client.readFile({ sandboxId, path })).content);
  const write = (path: string, content: string | Uint8Array) =>
    service.client.writeFile({ sandboxId, path, content: Buffer.from(content) });

  test("returns what was written, byte for byte", async () => {
    const content = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    await write("/workspace/bytes", content);
    expect(await read("/workspace/bytes")).toEqual(content);
    await write("/workspace/empty", "");
    expect((await read("/workspace/empty")).length).toBe(0);
  });

  test("shows files to commands, and their files to callers", async () => {
    await write("shared", "from the caller\n");
    expect((await sh(service.client, sandboxId, "cat shared; stat -c %a shared")).stdout).toBe(
      "from the caller\n644\n",
    );
    await sh(service.client, sandboxId, "echo from the command > answer");
    expect((await read("answer")).toString()).toBe("from the command\n");
    expect((await read("/workspace/answer")).toString()).toBe("from the command\n");
  });

  test("makes parent directories and replaces longer content", async () => {
    await write("/tmp/a/b/c", "long content");
    await write("/tmp/a/b/c", "short");
    expect((await read("/tmp/a/b/c")).toString()).toBe("short");
    await write("/root/.config/tool", "x");
    expect((await sh(service.client, sandboxId, "cat $HOME/.config/tool")).stdout).toBe("x");
  });

  test("says what is wrong with a path", async () => {
    await sh(service.client, sandboxId, "mkdir folder; mkfifo pipe");
    const missing = await refusalOf(read("/workspace/none"));
    expect(missing).toMatchObject({
      code: Code.NotFound,
      reason: ErrorReason.FILE_NOT_FOUND,
      metadata: { filepath: "/workspace/none" },
    });
    expect(await refusalOf(read("/workspace/none/deeper"))).toMatchObject({
      reason: ErrorReason.FILE_NOT_FOUND,
    });
    expect(await refusalOf(read("folder"))).toMatchObject({
      reason: ErrorReason.FILE_IS_DIRECTORY,
    });
    expect(await refusalOf(write("folder", "x"))).toMatchObject({
      reason: ErrorReason.FILE_IS_DIRECTORY,
    });
    // Neither may hang on the fifo.
    expect(await refusalOf(read("pipe"))).toMatchObject({
      code: Code.FailedPrecondition,
      reason: ErrorReason.FILE_IO_FAILED,
    });
    expect(await refusalOf(write("pipe", "x"))).toMatchObject({
      reason: ErrorReason.FILE_IO_FAILED,
      message: expect.stringContaining("pipe is not a regular file"),
    });
    expect(await refusalOf(read(""))).toMatchObject({ code: Code.InvalidArgument });
    // An image's own files are its sandbox's own, too.
    const denied = engine === "docker" ? "/proc/sys/kernel/hostname" : "/usr/made";
    expect(await refusalOf(write(denied, "x"))).toMatchObject({
      reason: ErrorReason.FILE_PERMISSION_DENIED,
    });
  });

  test("carries 32 MiB and refuses more, saying how much there is", async () => {
    await sh(service.client, sandboxId, `truncate -s ${CAP} most; truncate -s ${CAP + 1} more`);
    expect((await read("most")).length).toBe(CAP);
    expect(await refusalOf(read("more"))).toMatchObject({
      code: Code.FailedPrecondition,
      reason: ErrorReason.FILE_TOO_LARGE,
      metadata: {
        filepath: "more",
        operation: "read",
        size_bytes: String(CAP + 1),
        max_size_bytes: String(CAP),
      },
    });
    await write("written", Buffer.alloc(CAP));
    expect((await sh(service.client, sandboxId, "stat -c %s written")).stdout).toBe(`${CAP}\n`);
    expect(await refusalOf(write("written", Buffer.alloc(CAP + 1)))).toMatchObject({
      reason: ErrorReason.FILE_TOO_LARGE,
      metadata: { operation: "write", size_bytes: String(CAP + 1) },
    });
  });

  test("finds files of the spec before the main process does", async () => {
    const spec = specOf({
      command: "/bin/sh",
      args: ["-c", 'cat "$HOME/in/given" > seen; sleep 600'],
      files: [{ path: "/root/in/given", content: Buffer.from("given") }],
    });
    const id = await createRunning(service.client, spec);
    for (;;) {
      const { stdout } = await sh(service.client, id, "cat seen");
      if (stdout === "given") break;
    }
  });
});

describe("files with the engine bubblewrap only", () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startTestService({ engine: "bubblewrap" });
  });
  afterAll(() => service.close());

  test("puts files of the spec anywhere but in system folders", async () => {
    const spec = specOf({
      workingDir: "/app/src",
      files: [
        { path: "/app/src/main.txt", content: Buffer.from("main ") },
        { path: "/etc/tool.conf", content: Buffer.from("conf ") },
        { path: "/opt/x/y/z", content: Buffer.from("z") },
      ],
    });
    const id = await createRunning(service.client, spec);
    expect(
      (
        await sh(
          service.client,
          id,
          "pwd; cat main.txt /etc/tool.conf /opt/x/y/z; hostname -f >/dev/null; cat /etc/hostname",
        )
      ).stdout,
    ).toBe(`/app/src\nmain conf z${id.slice(0, 60)}\n`);
  });

  test("mounts scratch volumes, on disk and in memory", async () => {
    const spec = specOf(
      {
        volumeMounts: [
          { volume: "data", mountPath: "/data" },
          { volume: "data", mountPath: "/workspace/view", readOnly: true },
          { volume: "fast", mountPath: "/fast" },
        ],
      },
      {
        volumes: [
          { name: "data" },
          { name: "fast", source: { case: "scratch", value: { medium: 2, size: "64Ki" } } },
        ],
      },
    );
    const id = await createRunning(service.client, spec);
    expect(
      (await sh(service.client, id, "echo shared > /data/x; cat view/x; echo no > view/y")).stdout,
    ).toBe("shared\n");
    expect((await sh(service.client, id, "ls /data")).stdout).toBe("x\n");
    expect((await sh(service.client, id, "head -c 100000 /dev/zero > /fast/x")).stderr).toContain(
      "No space left",
    );
    await service.client.writeFile({ sandboxId: id, path: "/fast/y/z", content: Buffer.from("") });
    expect((await sh(service.client, id, "ls /fast/y")).stdout).toBe("z\n");
  });

  test("reads files that say they are empty", async () => {
    const id = await createRunning(service.client);
    const { content } = await service.client.readFile({ sandboxId: id, path: "/proc/cpuinfo" });
    expect(content.length).toBeGreaterThan(10);
  });
});
