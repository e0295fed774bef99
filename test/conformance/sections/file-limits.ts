import { expect } from "vitest";
import { Code } from "@connectrpc/connect";
import { ErrorReason, FileErrorMetadata, UNARY_FILE_CAP_BYTES } from "@tidybox/protocol";
import { refusalOf } from "../../../packages/local/src/testing/test-service.ts";
import { section } from "../contract.ts";
import { patterned } from "../exec-streams.ts";
import { filesOf } from "../sandbox-files.ts";

const CAP = UNARY_FILE_CAP_BYTES;

const tooLarge = (path: string, operation: string, sizeBytes: number) => ({
  code: Code.FailedPrecondition,
  reason: ErrorReason.FILE_TOO_LARGE,
  metadata: {
    [FileErrorMetadata.FILE_PATH]: path,
    [FileErrorMetadata.OPERATION]: operation,
    [FileErrorMetadata.SIZE_BYTES]: String(sizeBytes),
    [FileErrorMetadata.MAX_SIZE_BYTES]: String(CAP),
  },
});

/** How large a file may be, and what is told of one that cannot be read or written. */
export const fileLimits = section("3.9", (says) => {
  says("32 MiB and one byte less go through, both ways", async (context) => {
    const { folder, read, write, inside } = await filesOf(context);
    for (const size of [CAP - 1, CAP]) {
      const content = patterned(size);
      await write(`${folder}/file`, content);
      expect(await inside("stat -c %s file")).toBe(`${size}\n`);
      expect((await read(`${folder}/file`)).equals(content)).toBe(true);
    }
  });

  says("one byte more is FILE_TOO_LARGE, with its four metadata keys", async (context) => {
    const { folder, read, write, inside } = await filesOf(context);
    const path = `${folder}/file`;
    await write(path, "old");
    const refusal = await refusalOf(write(path, Buffer.alloc(CAP + 1)));
    expect(refusal).toMatchObject(tooLarge(path, "write", CAP + 1));
    expect((await read(path)).toString()).toBe("old");
    await inside(`truncate -s ${CAP + 1} file`);
    expect(await refusalOf(read(path))).toMatchObject(tooLarge(path, "read", CAP + 1));
  });

  says("a message of 99 MiB is still FILE_TOO_LARGE, and no broken connection", async (context) => {
    const { folder, write } = await filesOf(context);
    const size = 99 * 1024 * 1024;
    const refusal = await refusalOf(write(`${folder}/file`, Buffer.alloc(size)));
    expect(refusal).toMatchObject(tooLarge(`${folder}/file`, "write", size));
  });

  says("ReadFile tells the size of a huge sparse file at once", async (context) => {
    const { folder, read, inside } = await filesOf(context);
    const size = 1024 ** 4;
    await inside(`truncate -s ${size} huge`);
    expect(await refusalOf(read(`${folder}/huge`))).toMatchObject(
      tooLarge(`${folder}/huge`, "read", size),
    );
  });

  says("a missing file is FILE_NOT_FOUND, with its path as it was given", async (context) => {
    const { folder, read, inside } = await filesOf(context);
    await inside("ln -s nowhere dangling; echo > file");
    for (const path of [`${folder}/none`, "none", `${folder}/none/deeper`, `${folder}/file/x`]) {
      expect(await refusalOf(read(path))).toMatchObject({
        code: Code.NotFound,
        reason: ErrorReason.FILE_NOT_FOUND,
        metadata: { [FileErrorMetadata.FILE_PATH]: path },
      });
    }
  });

  says("a directory is FILE_IS_DIRECTORY, both ways", async (context) => {
    const { folder, read, write, inside } = await filesOf(context);
    await inside("mkdir folder");
    const path = `${folder}/folder`;
    for (const call of [() => read(path), () => write(path, "x")]) {
      expect(await refusalOf(call())).toMatchObject({
        code: Code.FailedPrecondition,
        reason: ErrorReason.FILE_IS_DIRECTORY,
        metadata: { [FileErrorMetadata.FILE_PATH]: path },
      });
    }
  });

  says(
    "what may not be written is FILE_PERMISSION_DENIED, never a wrong credential",
    async (context) => {
      const { write } = await filesOf(context);
      const path = "/proc/sys/kernel/hostname";
      expect(await refusalOf(write(path, "x"))).toMatchObject({
        code: Code.FailedPrecondition,
        reason: ErrorReason.FILE_PERMISSION_DENIED,
        metadata: { [FileErrorMetadata.FILE_PATH]: path },
      });
    },
  );

  says("what is no file is FILE_IO_FAILED at once, a FIFO too", async (context) => {
    const { folder, read, write, inside } = await filesOf(context);
    await inside("mkfifo pipe");
    for (const call of [() => read(`${folder}/pipe`), () => write(`${folder}/pipe`, "x")]) {
      expect(await refusalOf(call())).toMatchObject({
        reason: ErrorReason.FILE_IO_FAILED,
        metadata: { [FileErrorMetadata.FILE_PATH]: `${folder}/pipe` },
      });
    }
  });

  says("(our choice) an empty path, and one with NUL, is refused by its name", async (context) => {
    const { read, write } = await filesOf(context);
    for (const path of ["", "a\0b"]) {
      for (const call of [() => read(path), () => write(path, "x")]) {
        expect(await refusalOf(call())).toMatchObject({
          code: Code.InvalidArgument,
          message: expect.stringContaining("path"),
        });
      }
    }
  });
});
