import { expect } from "vitest";
import { run, sh } from "../../../packages/local/src/testing/test-service.ts";
import { section } from "../contract.ts";
import { fed, patterned, slices, streamed } from "../exec-streams.ts";
import {
  jsRead,
  jsWrite,
  pythonRead,
  pythonStreamedRead,
  pythonWrite,
  sizeProbe,
  streamedWrite,
} from "../file-commands.ts";
import { folderOf } from "../inside-sandbox.ts";
import { running } from "../sandboxes.ts";

const MEBIBYTE = 1024 * 1024;
const NAMES = ["plain", "a b", "two\nlines", "-n", "it's $HOME"];

/** The commands by which clients move what is too large for a message. */
export const fileCommands = section("3.9", (says) => {
  says(
    "a sandbox has sh, cat, wc, mv and stat, and /bin/cat at that very path",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await running(context);
      const script =
        "for each in cat wc mv stat; do command -v $each >/dev/null || echo no $each; done";
      expect(await run(sandboxes, sandboxId, "/bin/sh", "-c", script)).toMatchObject({
        stdout: "",
      });
      expect(await run(sandboxes, sandboxId, "/bin/cat", "--", "/dev/null")).toMatchObject({
        exitCode: 0,
      });
    },
  );

  says("all writing commands take what is streamed to them, whatever the name", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await running(context);
    const folder = await folderOf(sandboxes, sandboxId);
    const content = patterned(300_001);
    for (const write of [pythonWrite, jsWrite, streamedWrite]) {
      for (const name of NAMES) {
        const path = `${folder}/${name}`;
        const init = { sandboxId, command: [...write(path, content.length)] };
        const ended = await fed(sandboxes, init, slices(content, 64 * 1024));
        expect(ended.exitCode).toBe(0);
        const { content: read } = await sandboxes.readFile({ sandboxId, path });
        expect(content.equals(read)).toBe(true);
      }
    }
    expect((await sh(sandboxes, sandboxId, "ls -A | grep -c tmp")).stdout).toBe("0\n");
  });

  says("a count that is not the announced one ends the writing command with 1", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await running(context);
    const path = `${await folderOf(sandboxes, sandboxId)}/file`;
    await sandboxes.writeFile({ sandboxId, path, content: Buffer.from("old") });
    // By way of a temporary file the old content stays; straight onto the path it is lost.
    for (const [write, left] of [
      [jsWrite, "old"],
      [pythonWrite, "short"],
    ] as const) {
      const ended = await fed(sandboxes, { sandboxId, command: [...write(path, 6)] }, ["short"]);
      expect(ended.exitCode).toBe(1);
      expect(ended.stderr.toString()).toContain("got 5");
      const { content } = await sandboxes.readFile({ sandboxId, path });
      expect(Buffer.from(content).toString()).toBe(left);
    }
    expect((await sh(sandboxes, sandboxId, "ls -A")).stdout).toBe("file\n");
  });

  says("all reading commands give the content back, whatever the name", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await running(context);
    const folder = await folderOf(sandboxes, sandboxId);
    const content = patterned(300_001);
    for (const name of NAMES) {
      const path = `${folder}/${name}`;
      await sandboxes.writeFile({ sandboxId, path, content });
      for (const read of [pythonRead, jsRead, pythonStreamedRead]) {
        const { stdout, exitCode } = await streamed(sandboxes, sandboxId, ...read(path));
        expect(exitCode).toBe(0);
        expect(stdout.equals(content)).toBe(true);
      }
    }
  });

  says("a missing path is exit 2 and a directory exit 3, with words on stderr", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await running(context);
    const folder = await folderOf(sandboxes, sandboxId);
    for (const read of [pythonRead, jsRead]) {
      for (const [path, exitCode] of [
        [`${folder}/none`, 2],
        [folder, 3],
      ] as const) {
        const ended = await streamed(sandboxes, sandboxId, ...read(path));
        expect(ended.exitCode).toBe(exitCode);
        expect(ended.stderr.toString()).toContain(path);
        expect(ended.stdout).toHaveLength(0);
      }
    }
    expect((await streamed(sandboxes, sandboxId, ...pythonStreamedRead("/no/such"))).exitCode).toBe(
      1,
    );
  });

  says(
    "the size probe prints the size alone; where there is none it just fails",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await running(context);
      const folder = await folderOf(sandboxes, sandboxId);
      await sh(sandboxes, sandboxId, `truncate -s ${300 * MEBIBYTE} big`);
      const sized = await streamed(sandboxes, sandboxId, ...sizeProbe(`${folder}/big`));
      expect(sized.stdout.toString()).toBe(`${300 * MEBIBYTE}\n`);
      const missing = await streamed(sandboxes, sandboxId, ...sizeProbe(`${folder}/none`));
      expect(missing.exitCode).not.toBe(0);
      expect([missing.stdout.length, missing.stderr.length]).toEqual([0, 0]);
    },
  );
});
