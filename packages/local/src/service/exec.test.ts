import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Code } from "@connectrpc/connect";
import { ErrorReason } from "@tidybox/protocol";
import { markedProcesses } from "../engines/process/marked-processes.ts";
import {
  createRunning,
  eventually,
  refusalOf,
  run,
  sh,
  specOf,
  startTestService,
  type TestService,
} from "../testing/test-service.ts";
import { testedEngines } from "../testing/tested-engines.ts";

describe.each(testedEngines)("exec with the engine %s", (engine) => {
  let service: TestService;
  let sandboxId: string;
  beforeAll(async () => {
    service = await startTestService({ engine });
    sandboxId = await createRunning(
      service.client,
      specOf({ environmentVariables: { COLOR: "green" } }),
    );
  });
  afterAll(() => service.close());

  test("returns exit codes as they are", async () => {
    for (const code of [0, 1, 3, 255]) {
      expect(await sh(service.client, sandboxId, `exit ${code}`)).toMatchObject({ exitCode: code });
    }
  });

  test("returns 127 for a missing and 126 for an unusable program", async () => {
    expect(await run(service.client, sandboxId, "no-such-program")).toMatchObject({
      exitCode: 127,
    });
    expect(await run(service.client, sandboxId, "/etc/passwd")).toMatchObject({ exitCode: 126 });
  });

  test("says of a program that cannot run what a shell would, and nothing of how it was entered", async () => {
    for (const program of ["no-such-program", "/etc/passwd"]) {
      const { stdout, stderr } = await run(service.client, sandboxId, program);
      expect(stdout).toBe("");
      expect(stderr).toContain(`${program}: `);
      expect(stderr).not.toMatch(/setpriv|nsenter/);
    }
  });

  test("returns 128 + n for signal n", async () => {
    expect(await sh(service.client, sandboxId, "kill -TERM $$")).toMatchObject({ exitCode: 143 });
    expect(await sh(service.client, sandboxId, "kill -KILL $$")).toMatchObject({ exitCode: 137 });
    expect(await sh(service.client, sandboxId, "kill -SEGV $$")).toMatchObject({ exitCode: 139 });
  });

  test("keeps the streams apart and binary safe", async () => {
    const result = await service.client.exec({
      sandboxId,
      command: ["/bin/sh", "-c", "printf '\\000\\377a'; printf '\\376' >&2"],
    });
    expect([...result.stdout]).toEqual([0, 255, 97]);
    expect([...result.stderr]).toEqual([254]);
    expect(result.stdoutBytesProduced).toBe(3n);
    expect(result.stdoutTruncated).toBe(false);
  });

  test("lets a command open /dev/stdout and /dev/stderr", async () => {
    const result = await sh(
      service.client,
      sandboxId,
      "echo out >/dev/stdout; echo err >/dev/stderr; echo tee | tee /dev/stderr",
    );
    expect(result).toEqual({ stdout: "out\ntee\n", stderr: "err\ntee\n", exitCode: 0 });
  });

  test("gives an empty standard input", async () => {
    expect(await run(service.client, sandboxId, "cat")).toEqual({
      stdout: "",
      stderr: "",
      exitCode: 0,
    });
    expect(await sh(service.client, sandboxId, "cat /dev/stdin")).toEqual({
      stdout: "",
      stderr: "",
      exitCode: 0,
    });
  });

  test("adds the call's environment to the sandbox's", async () => {
    const command = ["/bin/sh", "-c", 'echo "$COLOR $SHAPE"'];
    const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
    const both = await service.client.exec({ sandboxId, command, env: { SHAPE: "round" } });
    expect(decode(both.stdout)).toBe("green round\n");
    const own = await service.client.exec({ sandboxId, command, env: { COLOR: "red" } });
    expect(decode(own.stdout)).toBe("red \n");
  });

  test("works in the sandbox's folder", async () => {
    const { stdout } = await sh(service.client, sandboxId, "pwd; echo x > made-here; ls");
    expect(stdout).toMatch(/workspace\nmade-here\n$/);
  });

  test("truncates at max_output_bytes and still counts", async () => {
    const result = await service.client.exec({
      sandboxId,
      command: ["/bin/sh", "-c", "printf 1234567890; printf abc >&2"],
      maxOutputBytes: 4,
    });
    expect(new TextDecoder().decode(result.stdout)).toBe("1234");
    expect(result).toMatchObject({ stdoutTruncated: true, stdoutBytesProduced: 10n });
    expect(result).toMatchObject({ stderrTruncated: false, stderrBytesProduced: 3n });
  });

  test("survives 100 MiB of output with the first 16 MiB", async () => {
    const result = await service.client.exec({
      sandboxId,
      command: ["head", "-c", String(100 * 1024 * 1024), "/dev/zero"],
    });
    expect(result.stdout.length).toBe(16 * 1024 * 1024);
    expect(result).toMatchObject({
      stdoutTruncated: true,
      stdoutBytesProduced: 104_857_600n,
      exitCode: 0,
    });
  });

  test("answers although a daemon keeps the output open", async () => {
    const result = await sh(service.client, sandboxId, "sleep 600 & echo started");
    expect(result).toMatchObject({ stdout: "started\n", exitCode: 0 });
  });

  test("answers although a daemon goes on writing", async () => {
    for (const daemon of ["yes", "while echo more; do sleep 0.03; done"]) {
      const script = `echo first; { ${daemon}; } & exit 3`;
      const result = await sh(service.client, sandboxId, script);
      expect(result).toMatchObject({ stdout: expect.stringMatching(/^first\n/), exitCode: 3 });
    }
  });

  test("kills the command when its caller goes away", async () => {
    const cancel = new AbortController();
    const mark = `EXEC_TEST_${engine}`;
    const call = service.client.exec(
      { sandboxId, command: ["/bin/sh", "-c", "sleep 600; true"], env: { [mark]: "1" } },
      { signal: cancel.signal },
    );
    call.catch(() => {});
    await eventually(() => markedProcesses(`${mark}=1`).length >= 2);
    cancel.abort();
    expect(await refusalOf(call)).toMatchObject({ code: Code.Canceled });
    await eventually(() => markedProcesses(`${mark}=1`).length === 0);
  });

  test("kills the command at the caller's deadline", async () => {
    const mark = `EXEC_DEADLINE_${engine}`;
    const call = service.client.exec(
      { sandboxId, command: ["sleep", "600"], env: { [mark]: "1" } },
      { timeoutMs: 300 },
    );
    expect(await refusalOf(call)).toMatchObject({ code: Code.DeadlineExceeded });
    await eventually(() => markedProcesses(`${mark}=1`).length === 0);
  });

  test("runs many commands at once", async () => {
    const numbers = Array.from({ length: 60 }, (_, index) => String(index));
    const results = await Promise.all(
      numbers.map((number) => run(service.client, sandboxId, "echo", number)),
    );
    expect(results.map(({ stdout }) => stdout)).toEqual(numbers.map((number) => `${number}\n`));
  });

  test("refuses a command that nobody could run", async () => {
    for (const command of [[], [""], ["  "], ["a\0b"]]) {
      expect(await refusalOf(service.client.exec({ sandboxId, command }))).toMatchObject({
        code: Code.InvalidArgument,
        reason: ErrorReason.INVALID_ARGUMENT,
      });
    }
    const word = "a".repeat(128 * 1024);
    for (const command of [["echo", word], Array.from({ length: 20 }, () => word.slice(1))]) {
      const refusal = await refusalOf(service.client.exec({ sandboxId, command }));
      expect(refusal.code).toBe(Code.InvalidArgument);
      expect(refusal.message).toContain("no process can have");
    }
    const most = await service.client.exec({ sandboxId, command: ["echo", word.slice(1)] });
    expect(most.stdoutBytesProduced).toBe(BigInt(word.length));
    const call = service.client.exec({ sandboxId, command: ["true"], container: "sidecar" });
    expect(await refusalOf(call)).toMatchObject({ code: Code.InvalidArgument });
  });

  test("says that a sandbox is unknown, or has ended", async () => {
    expect(
      await refusalOf(service.client.exec({ sandboxId: "sb-none", command: ["true"] })),
    ).toMatchObject({
      code: Code.NotFound,
      reason: ErrorReason.SANDBOX_NOT_FOUND,
    });
    const ended = await createRunning(service.client);
    await service.client.deleteSandbox({ sandboxId: ended });
    expect(
      await refusalOf(service.client.exec({ sandboxId: ended, command: ["true"] })),
    ).toMatchObject({
      code: Code.FailedPrecondition,
      reason: ErrorReason.SANDBOX_NOT_RUNNING,
    });
  });
});
