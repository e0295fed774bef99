import { expect } from "vitest";
import { Code } from "@connectrpc/connect";
import { ErrorReason } from "@tidybox/protocol";
import { refusalOf, run, untilEnded } from "../../../packages/local/src/testing/test-service.ts";
import { section } from "../contract.ts";
import { filesOf } from "../sandbox-files.ts";
import { running, started } from "../sandboxes.ts";
import { NEEDS_SEVERAL_CONTAINERS, runningPair } from "../two-containers.ts";

/** What file calls mean, where they all go well. */
export const files = section("3.9", (says) => {
  says("WriteFile and ReadFile carry whole files, of any bytes", async (context) => {
    const { folder, read, write, inside } = await filesOf(context);
    const content = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    await write(`${folder}/bytes`, content);
    expect(await read(`${folder}/bytes`)).toEqual(content);
    await inside("printf '\\377\\000made inside\\n' > made");
    expect(await read(`${folder}/made`)).toEqual(Buffer.from("\u00ff\0made inside\n", "latin1"));
  });

  says("commands see what was written, and callers what commands write", async (context) => {
    const { folder, read, write, inside } = await filesOf(context);
    await write(`${folder}/shared`, "from the caller\n");
    expect(await inside("cat shared; echo more >> shared")).toBe("from the caller\n");
    expect((await read(`${folder}/shared`)).toString()).toBe("from the caller\nmore\n");
  });

  says(
    "a path is the same for file calls and for commands: /tmp, /root, the image's own",
    async (context) => {
      const { read, write, inside } = await filesOf(context);
      for (const path of ["/tmp/conformance-file", "/root/conformance-file"]) {
        await write(path, "written\n");
        expect(await inside(`cat ${path}; echo appended >> ${path}`)).toBe("written\n");
        expect((await read(path)).toString()).toBe("written\nappended\n");
      }
      expect((await read("/etc/passwd")).toString()).toBe(await inside("cat /etc/passwd"));
    },
    {
      unless: {
        process: {
          cannot:
            "give commands the paths of file calls: its private folders have other names on the host (in HOME, TMPDIR and the working directory)",
          instead: async (context) => {
            const { read, write, inside } = await filesOf(context);
            await write("/tmp/conformance-file", "in tmp\n");
            await write("/root/conformance-file", "in root\n");
            expect(await inside('cat "$TMPDIR/conformance-file" "$HOME/conformance-file"')).toBe(
              "in tmp\nin root\n",
            );
            expect(await refusalOf(read("/etc/passwd"))).toMatchObject({
              reason: ErrorReason.FILE_PERMISSION_DENIED,
              message: expect.stringContaining('the engine "process" has only'),
            });
          },
        },
      },
    },
  );

  says("a file is replaced as a whole, with its mode kept", async (context) => {
    const { folder, read, write, inside } = await filesOf(context);
    await write(`${folder}/file`, "a long first content");
    await inside("chmod 750 file");
    await write(`${folder}/file`, "short");
    expect((await read(`${folder}/file`)).toString()).toBe("short");
    expect(await inside("stat -c %a file")).toBe("750\n");
  });

  says("empty content makes an empty file, also of one that had some", async (context) => {
    const { folder, read, write, inside } = await filesOf(context);
    await write(`${folder}/new`, "");
    await write(`${folder}/old`, "content");
    await write(`${folder}/old`, "");
    expect(await inside("stat -c %s new old")).toBe("0\n0\n");
    expect(await read(`${folder}/new`)).toHaveLength(0);
  });

  says("(our choice) missing parent directories are made", async (context) => {
    const { folder, read, write } = await filesOf(context);
    await write(`${folder}/a/b c/d`, "deep");
    expect((await read(`${folder}/a/b c/d`)).toString()).toBe("deep");
  });

  says("(our choice) a relative path begins at the working directory", async (context) => {
    const { folder, read, write, inside } = await filesOf(context);
    await write("sub/relative", "x");
    expect((await read(`${folder}/sub/relative`)).toString()).toBe("x");
    await inside("echo y > other");
    expect((await read("./sub/../other")).toString()).toBe("y\n");
  });

  says(
    "names may have spaces, newlines, quotes, other scripts, a dash in front",
    async (context) => {
      const { folder, read, write, inside } = await filesOf(context);
      const names = [
        "a b",
        "two\nlines",
        'it\'s "$HOME" `x`',
        "ü-文.txt",
        "-n",
        "*",
        "tab\t",
        "\\n",
      ];
      for (const name of names) await write(`${folder}/names/${name}`, `of ${name}`);
      for (const name of names)
        expect((await read(`${folder}/names/${name}`)).toString()).toBe(`of ${name}`);
      expect(await inside("set -- names/*; echo $#")).toBe(`${names.length}\n`);
      await write("-o", "relative");
      expect((await read("-o")).toString()).toBe("relative");
    },
  );

  says(
    "links within a sandbox are followed",
    async (context) => {
      const { folder, read, write, inside } = await filesOf(context);
      await inside("mkdir real; ln -s real link; ln -s real/file alias; echo > real/file");
      await write(`${folder}/alias`, "by alias");
      expect((await read(`${folder}/link/file`)).toString()).toBe("by alias");
      expect(await inside("cat real/file; test -L alias && echo link")).toBe("by aliaslink\n");
    },
    {
      unless: {
        process: {
          cannot:
            "follow symbolic links in file calls: nothing keeps them from leading to the host",
          instead: async (context) => {
            const { folder, read, inside } = await filesOf(context);
            await inside("echo > file; ln -s file alias");
            expect(await refusalOf(read(`${folder}/alias`))).toMatchObject({
              reason: ErrorReason.FILE_PERMISSION_DENIED,
              message: expect.stringContaining("follows none"),
            });
          },
        },
      },
    },
  );

  says(
    "container names whose files they are; empty means the primary one",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await runningPair(context);
      const path = "/tmp/whose";
      for (const container of ["main", "side"])
        await sandboxes.writeFile({ sandboxId, path, container, content: Buffer.from(container) });
      for (const container of ["", "side"]) {
        const { content } = await sandboxes.readFile({ sandboxId, path, container });
        expect(Buffer.from(content).toString()).toBe(container || "main");
      }
    },
    NEEDS_SEVERAL_CONTAINERS,
  );

  says("file calls need a running sandbox, and know when there is none", async (context) => {
    const { sandboxes } = context.bed;
    const { sandboxId } = await started(context, { command: "true" });
    await untilEnded(sandboxes, sandboxId);
    const refused = { code: Code.FailedPrecondition, reason: ErrorReason.SANDBOX_NOT_RUNNING };
    const unknown = { code: Code.NotFound, reason: ErrorReason.SANDBOX_NOT_FOUND };
    for (const [id, expected] of [
      [sandboxId, refused],
      ["sb-none", unknown],
    ] as const) {
      const target = { sandboxId: id, path: "file" };
      expect(await refusalOf(sandboxes.readFile(target))).toMatchObject(expected);
      expect(await refusalOf(sandboxes.writeFile(target))).toMatchObject(expected);
    }
  });

  says(
    "files of the spec are there before the main process, also under new directories",
    async (context) => {
      const { sandboxes } = context.bed;
      const path = "/opt/made/for it/given";
      const content = Buffer.from([0, 255, 10, 65]);
      const script = "cp '/opt/made/for it/given' /tmp/seen; exec sleep 600";
      const sandboxId = await running(context, {
        command: "/bin/sh",
        args: ["-c", script],
        files: [{ path, content }],
      });
      expect((await sandboxes.readFile({ sandboxId, path })).content).toEqual(
        new Uint8Array(content),
      );
      for (;;) {
        const seen = await run(sandboxes, sandboxId, "cmp", path, "/tmp/seen");
        if (seen.exitCode === 0) break;
      }
    },
    {
      unless: {
        process: {
          cannot: "have files of the spec but below /workspace, /tmp and /root",
          instead: async (context) => {
            const outside = [{ path: "/opt/made/given", content: Buffer.from("x") }];
            expect(await refusalOf(started(context, { files: outside }))).toMatchObject({
              code: Code.FailedPrecondition,
              reason: ErrorReason.NO_SUITABLE_RUNNER,
              message: expect.stringContaining("/opt/made/given"),
            });
          },
        },
      },
    },
  );
});
