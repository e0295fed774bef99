import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Code } from "@connectrpc/connect";
import {
  createRunning,
  refusalOf,
  run,
  sh,
  specOf,
  startTestService,
  type TestService,
} from "../../testing/test-service.ts";
import { foreignEtc } from "./etc-template.ts";
import { findHostLoader } from "./host-loader.ts";
import { mappedImageRoot } from "./image-root.ts";

/** Ways to put something else in the place of a top-level name. */
const REPLACEMENTS = [
  (name: string) => `ln -s /tmp/L ${name}.new && mv -T ${name}.new ${name}`,
  (name: string) => `mv -T ${name} ${name}.old`,
  (name: string) => `rm -f ${name}`,
  (name: string) => `rmdir ${name}`,
];

const NO_CAPABILITY = /^CapEff:\t0{16}$/m;

/**
 * setpriv is loaded inside the sandbox while it has every capability there: were the sandbox able
 * to replace anything that it loads, the sandbox's code would have them.
 */
describe("a sandbox that wants the capabilities of what leads to its commands", () => {
  let service: TestService;
  let image: string;
  beforeAll(async () => {
    image = mkdtempSync("/tmp/local-test-image-");
    chmodSync(image, 0o755);
    mkdirSync(`${image}/usr`);
    mkdirSync(`${image}/etc`);
    symlinkSync("usr/lib", `${image}/lib`);
    symlinkSync("/tmp/preload", `${image}/etc/ld.so.preload`);
    service = await startTestService({ engine: "bubblewrap", images: { imaged: image } });
  });
  afterAll(async () => {
    await service.close();
    rmSync(image, { recursive: true });
  });

  test("cannot replace the host's programs, libraries or /etc", async () => {
    const id = await createRunning(service.client);
    const inside = (script: string) => sh(service.client, id, script);
    for (const name of ["/usr", "/etc", "/proc"]) {
      for (const replacement of REPLACEMENTS) {
        const { exitCode, stderr } = await inside(replacement(name));
        expect(exitCode, `${replacement(name)}: ${stderr}`).not.toBe(0);
      }
    }
    expect((await inside("cat /proc/self/status")).stdout).toMatch(NO_CAPABILITY);
  });

  test("gains nothing by leading the names of the host's libraries elsewhere", async () => {
    const id = await createRunning(service.client);
    const inside = (script: string) => sh(service.client, id, script);
    // A libc and a libcap-ng of its own, where every loader but ours looks first.
    const own = "mkdir /tmp/L && cp -L /usr/lib/*/libc.so.6 /usr/lib/*/libcap-ng.so.0 /tmp/L;";
    await inside(`${own} for each in /tmp/L/*; do printf X > $each; done`);
    const links = (await inside("find / -maxdepth 1 -type l")).stdout.trim().split("\n");
    const all = links.map((name) => `ln -sfn /tmp/L ${name}`).join("; ");
    // Its own programs no longer load after this: by the host's loader they do.
    const replaced = await inside(`${all}; exit 0`);
    expect(replaced.exitCode).not.toBe(126);
    const { hostProgram } = mappedImageRoot(image, foreignEtc(image), await findHostLoader());
    const here = (word: string) => word.replace(/^\/\.host\//, "/usr/");
    const status = await run(
      service.client,
      id,
      ...hostProgram("cat").map(here),
      "/proc/self/status",
    );
    expect(status).toMatchObject({ stderr: "", exitCode: 0 });
    expect(status.stdout).toMatch(NO_CAPABILITY);
  });

  test("cannot get a mount namespace, in which mount points are not busy", async () => {
    const id = await createRunning(service.client);
    for (const command of ["unshare -U true", "unshare -Um --keep-caps true", "unshare -Ur true"]) {
      expect((await sh(service.client, id, command)).stderr, command).toContain("unshare failed");
    }
    const raise = "echo 100 > /proc/sys/user/max_user_namespaces";
    expect((await sh(service.client, id, raise)).exitCode).not.toBe(0);
  });

  test("cannot replace the host's programs beside those of its image", async () => {
    const id = await createRunning(service.client, specOf({ image: "imaged" }));
    const { hostProgram } = mappedImageRoot(image, foreignEtc(image), await findHostLoader());
    const inside = (name: string, ...args: string[]) =>
      run(service.client, id, ...hostProgram(name), ...args);
    // That files can be made and renamed there shows that the attempts below fail for a reason.
    expect(await inside("ln", "-s", "/tmp/L", "/new")).toMatchObject({ exitCode: 0 });
    expect(await inside("mv", "-T", "/new", "/newer")).toMatchObject({ exitCode: 0 });
    expect((await inside("mv", "-T", "/newer", "/.host")).exitCode).not.toBe(0);
    expect((await inside("mv", "-T", "/.host", "/.old")).exitCode).not.toBe(0);
    expect((await inside("rmdir", "/.host")).exitCode).not.toBe(0);
    expect((await inside("unshare", "-U", "true")).stderr).toContain("unshare failed");
    expect((await inside("cat", "/proc/self/status")).stdout).toMatch(NO_CAPABILITY);
  });

  test("cannot name a library to load in an image's /etc", async () => {
    const id = await createRunning(service.client, specOf({ image: "imaged" }));
    const { hostProgram } = mappedImageRoot(image, foreignEtc(image), await findHostLoader());
    await service.client.writeFile({
      sandboxId: id,
      path: "/tmp/preload",
      content: Buffer.from("/tmp/L.so\n"),
    });
    expect(await run(service.client, id, ...hostProgram("true"))).toEqual({
      stdout: "",
      stderr: "",
      exitCode: 0,
    });
  });

  test("cannot name a library to load in an /etc of its own", async () => {
    const files = [{ path: "/etc/mine.conf", content: Buffer.from("mine") }];
    const id = await createRunning(service.client, specOf({ files }));
    const inside = (script: string) => sh(service.client, id, script);
    expect(await inside("echo more >> /etc/mine.conf")).toMatchObject({ exitCode: 0 });
    for (const name of ["/etc/ld.so.preload", "/etc/ld.so.cache"]) {
      expect((await inside(`echo /tmp/L.so > ${name}`)).exitCode, name).not.toBe(0);
      for (const replacement of REPLACEMENTS)
        expect((await inside(replacement(name))).exitCode, replacement(name)).not.toBe(0);
    }
    expect(await inside("true")).toEqual({ stdout: "", stderr: "", exitCode: 0 });
  });

  test("cannot have a volume as /etc", async () => {
    const spec = specOf(
      { volumeMounts: [{ volume: "v", mountPath: "/etc" }] },
      { volumes: [{ name: "v" }] },
    );
    const refusal = await refusalOf(service.client.createSandbox({ sandbox: { spec } }));
    expect(refusal.code).toBe(Code.InvalidArgument);
  });

  test("cannot have messages of its own formatted by what leads to its commands", async () => {
    const id = await createRunning(service.client);
    await service.client.writeFile({
      sandboxId: id,
      path: "/tmp/mine/LC_MESSAGES/util-linux.mo",
      content: catalogOf("failed to execute %s", "formatted %s"),
    });
    const { stderr, exitCode } = await service.client.exec({
      sandboxId: id,
      command: ["no-such-program"],
      env: { LANGUAGE: "../../../tmp/mine" },
    });
    expect(exitCode).toBe(127);
    expect(new TextDecoder().decode(stderr)).not.toContain("formatted");
  });
});

/** A message catalog of gettext (.mo) that translates one text. */
function catalogOf(text: string, translation: string): Uint8Array {
  const [from, to] = [Buffer.from(`${text}\0`), Buffer.from(`${translation}\0`)];
  const texts = 28 + 2 * 8;
  const numbers = [0x950412de, 0, 1, 28, 36, 0, texts];
  numbers.push(from.length - 1, texts, to.length - 1, texts + from.length);
  return Buffer.concat([Buffer.from(Uint32Array.from(numbers).buffer), from, to]);
}
