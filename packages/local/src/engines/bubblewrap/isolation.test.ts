import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Code } from "@connectrpc/connect";
import { ErrorReason } from "@tidybox/protocol";
import {
  createRunning,
  eventually,
  refusalOf,
  run,
  sh,
  specOf,
  startTestService,
  type TestService,
} from "../../testing/test-service.ts";

/** What a sandbox of the engine "bubblewrap" sees of its host, tried from the inside. */
describe("a bubblewrap sandbox", () => {
  let service: TestService;
  let sandboxId: string;
  let host: Server;
  let port: number;
  let hostFolder: string;
  beforeAll(async () => {
    hostFolder = mkdtempSync("/tmp/local-test-host-");
    chmodSync(hostFolder, 0o755);
    writeFileSync(`${hostFolder}/secret`, "host secret", { mode: 0o644 });
    host = createServer((socket) => socket.end("hello from the host")).listen(0, "127.0.0.1");
    await once(host, "listening");
    ({ port } = host.address() as AddressInfo);
    service = await startTestService({ engine: "bubblewrap" });
    sandboxId = await createRunning(service.client, specOf({}, { network: { denyEgress: true } }));
  });
  afterAll(async () => {
    host.close();
    rmSync(hostFolder, { recursive: true });
    await service.close();
  });

  const inside = (script: string) => sh(service.client, sandboxId, script);

  test("shows no folder of the host but its programs", async () => {
    const { stdout } = await inside("ls -A /");
    const allowed = [
      "bin",
      "dev",
      "etc",
      "lib",
      "lib32",
      "lib64",
      "libx32",
      "opt",
      "proc",
      "root",
      "run",
      "sbin",
      "tmp",
      "usr",
      "var",
      "workspace",
    ];
    expect(
      stdout
        .trim()
        .split("\n")
        .filter((name) => !allowed.includes(name)),
    ).toEqual([]);
    expect((await inside(`cat ${hostFolder}/secret`)).exitCode).not.toBe(0);
    expect((await inside("ls -A /tmp /run /workspace")).stdout).toBe(
      "/run:\nsandbox\n\n/tmp:\n\n/workspace:\n",
    );
    expect((await inside("ls /run/sandbox && cat /etc/hostname")).stdout).toBe(
      `hostname\nhosts\n${sandboxId}\n`,
    );
    expect((await inside("cat /etc/shadow")).exitCode).not.toBe(0);
    expect((await inside("cat /etc/passwd")).stdout).toMatch(/^root:.*\nnobody:.*\n$/);
  });

  test("shows nothing of the host's environment", async () => {
    const { stdout } = await inside("cat /proc/*/environ | tr '\\0' '\\n'");
    expect(stdout).toContain("HOME=/root");
    expect(stdout).not.toContain("host-secret");
    expect(stdout).not.toContain("TIDYBOX");
  });

  test("shows only its own processes, and no path of the host among them", async () => {
    const { stdout } = await inside("cat /proc/[0-9]*/cmdline | tr '\\0' ' '");
    expect(stdout).not.toContain("node");
    expect(stdout).not.toContain(service.folder);
    const pids = (await inside("ls -d /proc/[0-9]*")).stdout.trim().split("\n");
    expect(pids.length).toBeLessThan(8);
  });

  test("has no capability, can get none, and cannot write to the host", async () => {
    const status = (await inside("cat /proc/self/status")).stdout;
    expect(status).toMatch(/^CapEff:\t0{16}$/m);
    expect(status).toMatch(/^CapBnd:\t0{16}$/m);
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    expect((await inside("mount -o remount,rw,bind /usr")).exitCode).not.toBe(0);
    expect((await inside("umount /etc")).exitCode).not.toBe(0);
    expect((await inside("unshare -Ur true")).exitCode).not.toBe(0);
    expect((await inside("touch /usr/local/bin/x")).stderr).toContain("Read-only");
    expect((await inside("touch /etc/x")).stderr).toContain("Read-only");
  });

  test("reaches nobody when egress is denied", async () => {
    const connect = `exec 3<>/dev/tcp/127.0.0.1/${port} && cat <&3`;
    const denied = await run(service.client, sandboxId, "/bin/bash", "-c", connect);
    expect(denied.exitCode).not.toBe(0);
    expect(denied.stdout).toBe("");
    const open = await createRunning(service.client);
    const reached = await run(service.client, open, "/bin/bash", "-c", connect);
    expect(reached.stdout).toBe("hello from the host");
  });

  test("shares no folder, shared memory, message queue or abstract socket with another sandbox", async () => {
    const spec = specOf({}, { network: { denyEgress: true } });
    const first = await createRunning(service.client, spec);
    const second = await createRunning(service.client, spec);
    const places = "/dev/shm /tmp /var /var/tmp /root /run /workspace";
    const listen = `require("net").createServer().listen("\\0of-the-first")`;
    await sh(service.client, first, `for each in ${places}; do echo > $each/of-the-first; done`);
    await sh(service.client, first, "ipcmk -M 64 && ipcmk -Q");
    await sh(service.client, first, `node -e '${listen}' >/dev/null 2>&1 &`);
    const look = `find ${places} -maxdepth 1 -name of-the-first; ipcs -m -q | grep 0x; grep @of-the-first /proc/net/unix; true`;
    const seen = async (id: string) => (await sh(service.client, id, look)).stdout.split("\n");
    // That the first one sees them all itself shows that there is something to see.
    await eventually(async () => (await seen(first)).some((line) => line.includes("@")));
    expect((await seen(first)).filter((line) => line.startsWith("/"))).toHaveLength(7);
    expect((await seen(first)).filter((line) => line.startsWith("0x"))).toHaveLength(2);
    expect(await seen(second)).toEqual([""]);
  });

  test("cannot lead a file call into the host by a link", async () => {
    await inside(
      `ln -s ${hostFolder} /workspace/folder; ln -s ${hostFolder}/secret /workspace/file; ln -s /proc/1/root /workspace/root`,
    );
    for (const path of [
      "/workspace/file",
      "/workspace/folder/secret",
      `/workspace/root${hostFolder}/secret`,
      `/proc/self/root${hostFolder}/secret`,
      `/workspace/../..${hostFolder}/secret`,
    ]) {
      const refusal = await refusalOf(service.client.readFile({ sandboxId, path }));
      expect(refusal, path).toMatchObject({ reason: ErrorReason.FILE_NOT_FOUND });
    }
    for (const path of ["/workspace/file", "/workspace/folder/made"]) {
      await service.client
        .writeFile({ sandboxId, path, content: Buffer.from("from the sandbox") })
        .catch(() => {});
    }
    const { readFileSync, readdirSync } = await import("node:fs");
    expect(readdirSync(hostFolder)).toEqual(["secret"]);
    expect(readFileSync(`${hostFolder}/secret`, "utf8")).toBe("host secret");
  });

  test("resolves its own links as it would itself", async () => {
    await inside(
      "mkdir -p real && echo content > real/file && ln -s /workspace/real /workspace/link",
    );
    const { content } = await service.client.readFile({ sandboxId, path: "/workspace/link/file" });
    expect(new TextDecoder().decode(content)).toBe("content\n");
    await service.client.writeFile({ sandboxId, path: "link/new", content: Buffer.from("new") });
    expect((await inside("cat /workspace/real/new")).stdout).toBe("new");
  });

  test("does not let a loader variable run code outside", async () => {
    const { sandboxId: id } = { sandboxId };
    // nsenter starts on the host: had it obeyed, ld.so would complain twice.
    const result = await service.client.exec({
      sandboxId: id,
      command: ["true"],
      env: { LD_PRELOAD: "/workspace/nothing.so" },
    });
    expect(new TextDecoder().decode(result.stderr).match(/cannot be preloaded/g)?.length).toBe(1);
  });

  test("refuses a volume over the system's folders, in words", async () => {
    const spec = specOf(
      { volumeMounts: [{ volume: "v", mountPath: "/usr/local" }] },
      { volumes: [{ name: "v" }] },
    );
    const refusal = await refusalOf(service.client.createSandbox({ sandbox: { spec } }));
    expect(refusal).toMatchObject({
      code: Code.Unimplemented,
      reason: ErrorReason.NOT_IMPLEMENTED,
    });
    expect(refusal.message).toContain("/usr/local");
  });
});

describe.runIf(process.getuid?.() === 0)(
  "a bubblewrap sandbox of a service that root started",
  () => {
    let service: TestService;
    let root: string;
    beforeAll(async () => {
      root = mkdtempSync("/tmp/local-test-image-");
      chmodSync(root, 0o755);
      for (const name of ["bin", "lib", "lib64", "sbin"])
        symlinkSync(`usr/${name}`, `${root}/${name}`);
      mkdirSync(`${root}/usr`);
      mkdirSync(`${root}/data`);
      writeFileSync(`${root}/data/open`, "for all", { mode: 0o644 });
      writeFileSync(`${root}/data/private`, "for root", { mode: 0o600 });
      service = await startTestService({ engine: "bubblewrap", images: { imaged: root } });
    });
    afterAll(async () => {
      await service.close();
      rmSync(root, { recursive: true });
    });

    test("is root inside and nobody outside: what only root may read stays closed", async () => {
      // The image brings no programs but those of /.host: its files are what matters here.
      const sandboxId = await createRunning(service.client, specOf({ image: "imaged" }));
      const read = (path: string) => service.client.readFile({ sandboxId, path });
      expect(new TextDecoder().decode((await read("/data/open")).content)).toBe("for all");
      expect(await refusalOf(read("/data/private"))).toMatchObject({
        reason: ErrorReason.FILE_PERMISSION_DENIED,
      });
    });
  },
);
