import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { ErrorReason, type ExecStreamRequest, ExecStreamResponseSchema } from "@tidybox/protocol";
import { packTar, type TarHeader } from "modern-tar";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { UnavailableError } from "../errors/request-errors.ts";
import { FileError } from "../errors/sandbox-errors.ts";
import { attachSandbox } from "../sandbox/attach.ts";
import { Sandbox } from "../sandbox/sandbox.ts";
import { Connection } from "../connection/connection.ts";
import { startFaultProxy } from "../testing/fault-proxy.ts";
import { startFaultService } from "../testing/fault-service.ts";
import { type TestService, startTestService } from "../testing/local-service.ts";

let service: TestService;
let sandbox: Sandbox;
beforeAll(async () => {
  service = await startTestService();
  sandbox = await Sandbox.run({ connection: service.connection });
});
afterAll(async () => service?.[Symbol.asyncDispose]());

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "directories-"));
});
afterEach(() => {
  // A directory that nobody may write to cannot be emptied either.
  spawnSync("chmod", ["-R", "u+rwx", folder]);
  rmSync(folder, { recursive: true, force: true });
});

const sh = async (script: string): Promise<string> =>
  (await sandbox.exec(["sh", "-c", script], { check: true })).stdout;

const modeOf = (path: string): number => lstatSync(path).mode & 0o7777;

test("carries a directory there and back: contents, names, modes, links, empty directories", async () => {
  const from = join(folder, "from");
  mkdirSync(join(from, "deep/er"), { recursive: true });
  mkdirSync(join(from, "empty"));
  writeFileSync(join(from, "run.sh"), "#!/bin/sh\n", { mode: 0o755 });
  writeFileSync(join(from, "deep/er/it's ü\nname"), Buffer.alloc(3_000_000, 7));
  writeFileSync(join(from, "secret"), "x", { mode: 0o600 });
  writeFileSync(join(from, "nothing"), "");
  writeFileSync(join(from, `${"long-".repeat(45)}name`), "long");
  symlinkSync("../run.sh", join(from, "deep/link"));
  symlinkSync("nowhere", join(from, "dangling"));
  linkSync(join(from, "secret"), join(from, "deep/second-name"));
  chmodSync(join(from, "deep/er"), 0o555);

  await sandbox.uploadDirectory(from, "/tmp/up loaded/here");
  expect(await sh("cd '/tmp/up loaded/here' && stat -c '%a %n' run.sh secret deep/er")).toBe(
    "755 run.sh\n600 secret\n555 deep/er\n",
  );
  expect(await sh("readlink '/tmp/up loaded/here/deep/link'")).toBe("../run.sh\n");

  const back = join(folder, "new/back");
  await sandbox.downloadDirectory("/tmp/up loaded/here", back);
  expect(
    spawnSync("diff", ["-r", "--no-dereference", from, back], { encoding: "utf8" }),
  ).toMatchObject({ status: 0, stdout: "" });
  expect(modeOf(join(back, "run.sh"))).toBe(0o755);
  expect(modeOf(join(back, "secret"))).toBe(0o600);
  expect(modeOf(join(back, "deep/er"))).toBe(0o555);
  expect(readlinkSync(join(back, "dangling"))).toBe("nowhere");

  // Again, over what is there now.
  await sandbox.downloadDirectory("/tmp/up loaded/here", back);
  // Its tar does not open what was closed to writers there.
  await sh("chmod 755 '/tmp/up loaded/here/deep/er'");
  await sandbox.uploadDirectory(from, "/tmp/up loaded/here");
});

test("hard links within stay one file", async () => {
  await sh("mkdir -p /tmp/hard && cd /tmp/hard && echo x >a && ln a b");
  await sandbox.downloadDirectory("/tmp/hard", folder);
  expect(statSync(join(folder, "a")).ino).toBe(statSync(join(folder, "b")).ino);
});

test("replaces what is there, leaves the rest, and writes through no link or second name", async () => {
  const outside = join(folder, "outside");
  const target = join(folder, "target");
  mkdirSync(target);
  writeFileSync(outside, "untouched");
  writeFileSync(join(target, "other"), "stays");
  symlinkSync(outside, join(target, "file"));
  linkSync(outside, join(target, "second"));
  await sh("mkdir -p /tmp/over && cd /tmp/over && echo new >file && echo new >second");
  await sandbox.downloadDirectory("/tmp/over", target);
  expect(readFileSync(outside, "utf8")).toBe("untouched");
  expect(readFileSync(join(target, "file"), "utf8")).toBe("new\n");
  expect(readdirSync(target)).toEqual(["file", "other", "second"]);

  // Not into a directory that is somewhere else, either.
  mkdirSync(join(folder, "elsewhere"));
  symlinkSync("../elsewhere", join(target, "sub"));
  await sh("mkdir -p /tmp/over/sub && echo x >/tmp/over/sub/file");
  await expect(sandbox.downloadDirectory("/tmp/over", target)).rejects.toMatchObject({
    reason: "TIDYBOX_ENTRY_REFUSED",
  });
  expect(readdirSync(join(folder, "elsewhere"))).toEqual([]);
});

test("links that lead out are refused both ways, or left out when asked", async () => {
  const from = join(folder, "from");
  mkdirSync(from);
  writeFileSync(join(from, "file"), "x");
  symlinkSync("/etc/passwd", join(from, "out"));
  const up = sandbox.uploadDirectory(from, "/tmp/links-up");
  await expect(up).rejects.toThrow(FileError);
  await expect(up).rejects.toMatchObject({
    path: join(from, "out"),
    reason: "TIDYBOX_ENTRY_REFUSED",
  });
  await sandbox.uploadDirectory(from, "/tmp/links-up", { outsideLinks: "skip" });
  expect(await sh("ls /tmp/links-up")).toBe("file\n");

  await sh("mkdir -p /tmp/links && cd /tmp/links && ln -s ../../etc out && echo x >file");
  const to = join(folder, "to");
  await expect(sandbox.downloadDirectory("/tmp/links", to)).rejects.toThrow(
    /"\/tmp\/links".*"\.\/out" is a link out/,
  );
  await sandbox.downloadDirectory("/tmp/links", to, { outsideLinks: "skip" });
  expect(readdirSync(to)).toEqual(["file"]);
});

test("tells what is missing, and what is no directory", async () => {
  await sh("echo x >/tmp/a-file");
  await expect(sandbox.downloadDirectory("/tmp/none", folder)).rejects.toMatchObject({
    path: "/tmp/none",
    reason: ErrorReason.FILE_NOT_FOUND,
    sandboxId: sandbox.id,
  });
  await expect(sandbox.downloadDirectory("/tmp/a-file", folder)).rejects.toThrow(/not a directory/);
  await expect(sandbox.uploadDirectory(join(folder, "none"), "/tmp/x")).rejects.toMatchObject({
    path: join(folder, "none"),
    reason: ErrorReason.FILE_NOT_FOUND,
    // Nobody should look for it in the sandbox.
    message: expect.stringMatching(/none" on this machine.*there is no such path/),
  });
  writeFileSync(join(folder, "big"), Buffer.alloc(20_000_000));
  await expect(sandbox.uploadDirectory(folder, "/tmp/a-file")).rejects.toThrow(/not a directory/);
  await expect(sandbox.uploadDirectory(join(folder, "big"), "/tmp/x")).rejects.toThrow(
    /not a directory/,
  );
});

test("a local file that becomes shorter while it is sent is an error", async () => {
  const file = join(folder, "shrinks");
  writeFileSync(file, Buffer.alloc(64_000_000));
  const upload = sandbox.uploadDirectory(folder, "/tmp/shrinks");
  const failure = upload.catch((error: unknown) => error);
  await sh("until test -s /tmp/shrinks/shrinks; do sleep 0.01; done");
  truncateSync(file, 1000);
  expect(await failure).toMatchObject({ path: file, reason: ErrorReason.FILE_TRUNCATED });
});

test("a connection cut in the middle is an error both ways, not half of a directory in silence", async () => {
  await sh(
    "mkdir -p /tmp/cut && cd /tmp/cut && for n in 1 2 3 4; do head -c 8000000 /dev/zero >$n; done",
  );
  await using proxy = await startFaultProxy(service.baseUrl);
  using connection = new Connection({ baseUrl: proxy.baseUrl, apiKey: service.apiKey });
  const behind = attachSandbox(connection, sandbox.id);
  proxy.after(12_000_000, "down", proxy.cut);
  await expect(behind.downloadDirectory("/tmp/cut", join(folder, "down"))).rejects.toThrow(
    UnavailableError,
  );
  writeFileSync(join(folder, "big"), Buffer.alloc(30_000_000));
  proxy.after(12_000_000, "up", proxy.cut);
  await expect(behind.uploadDirectory(folder, "/tmp/cut-up")).rejects.toThrow(UnavailableError);
});

test("ends both ways when it is given up", async () => {
  const reason = new Error("enough");
  const signal = AbortSignal.abort(reason);
  await expect(sandbox.downloadDirectory("/tmp", folder, { signal })).rejects.toBe(reason);
  await expect(sandbox.uploadDirectory(folder, "/tmp/x", { signal })).rejects.toBe(reason);
  await sh("mkdir -p /tmp/endless && truncate -s 2G /tmp/endless/a");
  const giveUp = new AbortController();
  const download = sandbox.downloadDirectory("/tmp/endless", folder, { signal: giveUp.signal });
  const outcome = download.catch((error: unknown) => error);
  while (!existsSync(join(folder, "a"))) await new Promise((go) => setTimeout(go, 10));
  giveUp.abort(reason);
  expect(await outcome).toBe(reason);
});

describe("of a hostile archive", () => {
  const header = (name: string, rest: Partial<TarHeader> = {}): TarHeader => ({
    name,
    size: 0,
    type: "file",
    ...rest,
  });
  const file = (name: string, body = "evil") => ({
    header: header(name, { size: body.length }),
    body,
  });
  const symlink = (name: string, linkname: string) => ({
    header: header(name, { type: "symlink", linkname }),
  });

  /** What a sandbox answers that sends this instead of its directory. */
  async function download(
    archive: Uint8Array,
    options: { readonly exitCode?: number; readonly maxSizeBytes?: number } = {},
  ): Promise<unknown> {
    const { exitCode = 0, ...rest } = options;
    await using faulty = await startFaultService({
      async *streamExec(requests: AsyncIterable<ExecStreamRequest>) {
        for await (const _ of requests);
        yield create(ExecStreamResponseSchema, { message: { case: "ready", value: {} } });
        for (let at = 0; at < archive.length; at += 1000) {
          const value = { data: archive.subarray(at, at + 1000) };
          yield create(ExecStreamResponseSchema, { message: { case: "output", value } });
        }
        yield create(ExecStreamResponseSchema, { message: { case: "exit", value: { exitCode } } });
      },
    });
    const hostile = attachSandbox(faulty.connection, "sb-1");
    return await hostile
      .downloadDirectory("/work", join(folder, "in"), rest)
      .catch((error: unknown) => error);
  }

  const outside = (): readonly string[] => readdirSync(folder).filter((name) => name !== "in");

  test.each([
    ["a name that goes up", [file("../evil")]],
    ["a name that goes up later", [file("a/../../evil")]],
    ["an absolute name", [file("/tmp/evil-absolute")]],
    ["a link that goes up", [symlink("link", "../")]],
    ["an absolute link", [symlink("link", "/etc")]],
    [
      "a link that goes up through another link",
      [
        { header: header("d/e/", { type: "directory" }) },
        symlink("d/e/up", "../.."),
        symlink("link", "d/e/up/.."),
      ],
    ],
    ["a file below a link that goes up", [symlink("link", ".."), file("link/evil")]],
    [
      "a hard link to a file of this machine",
      [{ header: header("hard", { type: "link", linkname: "/etc/passwd" }) }],
    ],
    [
      "a hard link that goes up",
      [{ header: header("hard", { type: "link", linkname: "../evil" }) }],
    ],
    [
      "a hard link to a link",
      [symlink("link", "x"), { header: header("hard", { type: "link", linkname: "link" }) }],
    ],
    ["a device", [{ header: header("null", { type: "character-device" }) }]],
    ["a pipe", [{ header: header("pipe", { type: "fifo" }) }]],
    ["a file as the directory itself", [file(".")]],
    ["a file below a file", [file("a"), file("a/b")]],
    ["a link over a directory", [file("a/b"), symlink("a", "c")]],
  ])("%s is refused, and nothing is made outside", async (_what, entries) => {
    const failure = await download(await packTar(entries));
    expect(failure).toBeInstanceOf(FileError);
    expect(failure).toMatchObject({ reason: "TIDYBOX_ENTRY_REFUSED", path: "/work" });
    expect(outside()).toEqual([]);
    expect(existsSync("/tmp/evil-absolute")).toBe(false);
  });

  test("a link and what would be written through it are two different things", async () => {
    mkdirSync(join(folder, "in/real"), { recursive: true });
    const failure = await download(await packTar([symlink("d", "real"), file("d/x")]));
    expect(failure).toMatchObject({ reason: "TIDYBOX_ENTRY_REFUSED" });
    expect(readdirSync(join(folder, "in/real"))).toEqual([]);
  });

  test("set-uid bits are dropped", async () => {
    const entry = { header: header("su", { size: 1, mode: 0o6755 }), body: "x" };
    expect(await download(await packTar([entry]))).toBeUndefined();
    expect(modeOf(join(folder, "in/su"))).toBe(0o755);
  });

  test("more than is allowed is refused before it is written", async () => {
    const archive = await packTar([file("a", "x".repeat(600)), file("b", "x".repeat(600))]);
    expect(await download(archive, { maxSizeBytes: 1000 })).toMatchObject({
      reason: ErrorReason.FILE_TOO_LARGE,
    });
    expect(readdirSync(join(folder, "in"))).toEqual(["a"]);
    expect(await download(archive, { maxSizeBytes: 1200 })).toBeUndefined();
  });

  test("one that is cut, damaged or no archive at all is an error", async () => {
    const archive = await packTar([file("a", "x".repeat(5000))]);
    expect(await download(archive.subarray(0, 3000))).toBeInstanceOf(Error);
    expect(await download(archive.map((byte, at) => (at < 100 ? byte ^ 1 : byte)))).toBeInstanceOf(
      Error,
    );
    expect(await download(new TextEncoder().encode("hello".repeat(500)))).toBeInstanceOf(Error);
    expect(await download(archive, { exitCode: 1 })).toBeInstanceOf(FileError);
    expect(outside()).toEqual([]);
  });
});
