import { expect } from "vitest";
import { Code } from "@connectrpc/connect";
import { BadRequestSchema, ErrorReason } from "@tidybox/protocol";
import { refusalOf, run, sh } from "../../../packages/local/src/testing/test-service.ts";
import { section } from "../contract.ts";
import { running } from "../sandboxes.ts";
import { NEEDS_SEVERAL_CONTAINERS, runningPair } from "../two-containers.ts";

const MEBIBYTE = 1024 * 1024;

export const exec = section("3.6", (says) => {
  says(
    "Exec runs to completion and answers with both streams and the exit code",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await running(context);
      const script = "printf out; printf err >&2; sleep 0.05; printf more; exit 3";
      expect(await sh(sandboxes, sandboxId, script)).toEqual({
        stdout: "outmore",
        stderr: "err",
        exitCode: 3,
      });
    },
  );

  says("a non-zero exit is a normal answer, not a gRPC error", async (context) => {
    const sandboxId = await running(context);
    for (const exitCode of [0, 1, 2, 42, 125, 255])
      expect(await sh(context.bed.sandboxes, sandboxId, `exit ${exitCode}`)).toMatchObject({
        exitCode,
      });
  });

  says("both streams carry any byte", async (context) => {
    const sandboxId = await running(context);
    const script = "printf '\\000\\001\\377\\012\\015'; printf '\\376\\000\\303' >&2";
    const answer = await context.bed.sandboxes.exec({
      sandboxId,
      command: ["/bin/sh", "-c", script],
    });
    expect([...answer.stdout]).toEqual([0, 1, 255, 10, 13]);
    expect([...answer.stderr]).toEqual([254, 0, 195]);
  });

  says(
    "max_output_bytes caps each stream by itself, flags it, and still counts",
    async (context) => {
      const sandboxId = await running(context);
      const command = ["/bin/sh", "-c", "printf 1234567890; printf abc >&2; exit 9"];
      const { sandboxes } = context.bed;
      const cut = await sandboxes.exec({ sandboxId, command, maxOutputBytes: 4 });
      expect(Buffer.from(cut.stdout).toString()).toBe("1234");
      expect(Buffer.from(cut.stderr).toString()).toBe("abc");
      expect(cut).toMatchObject({
        exitCode: 9,
        stdoutTruncated: true,
        stderrTruncated: false,
        stdoutBytesProduced: 10n,
        stderrBytesProduced: 3n,
      });
      const both = await sandboxes.exec({ sandboxId, command, maxOutputBytes: 2 });
      expect(both).toMatchObject({ stdoutTruncated: true, stderrTruncated: true });
      const exact = await sandboxes.exec({ sandboxId, command, maxOutputBytes: 10 });
      expect(exact).toMatchObject({ stdoutTruncated: false, stdoutBytesProduced: 10n });
    },
  );

  says("what does not fit is dropped while the command runs on to its end", async (context) => {
    const sandboxId = await running(context);
    const script = `head -c ${6 * MEBIBYTE} /dev/zero; printf end >&2; exit 4`;
    const answer = await context.bed.sandboxes.exec({
      sandboxId,
      command: ["/bin/sh", "-c", script],
      maxOutputBytes: 1000,
    });
    expect(answer.stdout).toHaveLength(1000);
    expect(answer).toMatchObject({
      exitCode: 4,
      stdoutTruncated: true,
      stdoutBytesProduced: BigInt(6 * MEBIBYTE),
    });
    expect(Buffer.from(answer.stderr).toString()).toBe("end");
  });

  says("(our choice) without a cap, 16 MiB of each stream are kept", async (context) => {
    const sandboxId = await running(context);
    const size = 16 * MEBIBYTE + 5;
    const { sandboxes } = context.bed;
    const cut = await sandboxes.exec({
      sandboxId,
      command: ["head", "-c", String(size), "/dev/zero"],
    });
    expect(cut.stdout).toHaveLength(16 * MEBIBYTE);
    expect(cut).toMatchObject({ stdoutTruncated: true, stdoutBytesProduced: BigInt(size) });
  });

  says("(our choice) a negative cap is refused by its name", async (context) => {
    const sandboxId = await running(context);
    const call = context.bed.sandboxes.exec({ sandboxId, command: ["true"], maxOutputBytes: -1 });
    const refusal = await refusalOf(call);
    expect(refusal).toMatchObject({
      code: Code.InvalidArgument,
      reason: ErrorReason.INVALID_ARGUMENT,
    });
    const [details] = refusal.error.findDetails(BadRequestSchema);
    expect(details?.fieldViolations.map(({ field }) => field)).toEqual(["max_output_bytes"]);
  });

  says("env goes on top of the container's variables, for that command alone", async (context) => {
    const sandboxId = await running(context, { environmentVariables: { COLOR: "green" } });
    const { sandboxes } = context.bed;
    const command = ["/bin/sh", "-c", 'printf %s "$COLOR,$SHAPE"'];
    const env = { COLOR: "red", SHAPE: "ro\nund =" };
    const own = await sandboxes.exec({ sandboxId, command, env });
    expect(Buffer.from(own.stdout).toString()).toBe("red,ro\nund =");
    const later = await sandboxes.exec({ sandboxId, command });
    expect(Buffer.from(later.stdout).toString()).toBe("green,");
  });

  says(
    "container names where to run; empty means the primary one",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await runningPair(context);
      const command = ["/bin/sh", "-c", 'printf %s "$NAME"'];
      for (const [container, name] of [
        ["", "main"],
        ["main", "main"],
        ["side", "side"],
      ] as const) {
        const { stdout } = await sandboxes.exec({ sandboxId, container, command });
        expect(Buffer.from(stdout).toString()).toBe(name);
      }
    },
    NEEDS_SEVERAL_CONTAINERS,
  );

  says("(our choice) a container that the sandbox does not have is refused", async (context) => {
    const sandboxId = await running(context);
    const { sandboxes } = context.bed;
    const named = await sandboxes.exec({ sandboxId, command: ["true"], container: "main" });
    expect(named.exitCode).toBe(0);
    const call = sandboxes.exec({ sandboxId, command: ["true"], container: "other" });
    expect(await refusalOf(call)).toMatchObject({
      code: Code.InvalidArgument,
      message: expect.stringContaining('"other"'),
    });
  });

  says("words and variables go to the command as they are", async (context) => {
    const sandboxId = await running(context);
    const words = [
      "a b",
      "it's",
      '"',
      "$HOME",
      "*",
      "-n",
      "",
      "ü\n\t",
      "`id`",
      "\\",
      "x".repeat(100_000),
    ];
    const { stdout } = await run(context.bed.sandboxes, sandboxId, "printf", "%s|", ...words);
    expect(stdout).toBe(words.map((word) => `${word}|`).join(""));
  });

  says(
    "there is no field for a directory: the shells of both SDKs change to it",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await running(context);
      await sh(sandboxes, sandboxId, `mkdir "it's a \\$folder"`);
      for (const [flag, line] of [
        ["-lc", `cd 'it'\\''s a $folder' && exec 'printf' '%s' 'a b'`],
        ["-c", `cd 'it'"'"'s a $folder' && exec printf %s 'a b'`],
      ] as const) {
        expect(await run(sandboxes, sandboxId, "/bin/sh", flag, line)).toEqual({
          stdout: "a b",
          stderr: "",
          exitCode: 0,
        });
      }
      const lost = await run(sandboxes, sandboxId, "/bin/sh", "-c", "cd 'no such' && exec true");
      expect(lost.exitCode).not.toBe(0);
      expect(lost.stderr).toContain("no such");
    },
  );

  says("(our choice) standard input of a unary command is empty", async (context) => {
    const sandboxId = await running(context);
    expect(await run(context.bed.sandboxes, sandboxId, "cat")).toMatchObject({
      stdout: "",
      exitCode: 0,
    });
  });

  says(
    "(our choice) a missing executable is exit 127, and what cannot be run 126",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await running(context);
      await sh(sandboxes, sandboxId, "echo text > text; mkdir folder");
      const missing = await run(sandboxes, sandboxId, "no-such-program", "word");
      expect(missing).toMatchObject({ exitCode: 127, stdout: "" });
      expect(missing.stderr).toContain("no-such-program");
      for (const program of ["./text", "./folder"]) {
        const unusable = await run(sandboxes, sandboxId, program);
        expect(unusable).toMatchObject({ exitCode: 126, stdout: "" });
        expect(unusable.stderr).toContain(program);
      }
    },
  );

  says("(our choice) a command without a first word, or with NUL, is refused", async (context) => {
    const sandboxId = await running(context);
    for (const command of [[], [""], ["  "], ["echo", "a\0b"]]) {
      const refusal = await refusalOf(context.bed.sandboxes.exec({ sandboxId, command }));
      expect(refusal).toMatchObject({ code: Code.InvalidArgument });
      const [details] = refusal.error.findDetails(BadRequestSchema);
      expect(details?.fieldViolations[0]?.field).toBe("command");
    }
  });
});
