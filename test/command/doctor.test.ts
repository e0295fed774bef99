import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { expect, onTestFinished, test } from "vitest";
import { busyboxImage, emptyImage } from "../support/image-root.ts";
import { lastBed } from "../support/last-bed.ts";
import { outsideEnvironment } from "../support/environment.ts";
import { startServe } from "../support/serve.ts";

interface Report {
  readonly usable: boolean;
  readonly backend: string;
  readonly engine?: string;
  readonly findings: readonly {
    readonly name: string;
    readonly state: string;
    readonly detail: string;
    readonly remedy?: string;
  }[];
  readonly images: readonly {
    readonly image: string;
    readonly root?: string;
    readonly remedy?: string;
    readonly tools: readonly { readonly name: string; readonly path?: string }[];
  }[];
}

/** In a folder without any configuration but `config`. */
async function doctor(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  config: object = {},
) {
  const cwd = mkdtempSync("/tmp/tidybox-doctor-");
  onTestFinished(() => rmSync(cwd, { recursive: true }));
  writeFileSync(join(cwd, "tidybox.config.json"), JSON.stringify(config));
  const main = join(lastBed().directory, "node_modules/tidybox/dist/main.js");
  return execa(process.execPath, [main, "doctor", ...args], {
    cwd,
    env: outsideEnvironment(env),
    extendEnv: false,
    reject: false,
    timeout: 60_000,
  });
}

function stateOf({ findings }: Report, name: string): string | undefined {
  return findings.find((each) => each.name === name)?.state;
}

test("doctor proves the local engine with a sandbox, says what is in it, and leaves nothing", async () => {
  const temp = mkdtempSync("/tmp/tidybox-doctor-");
  onTestFinished(() => rmSync(temp, { recursive: true }));
  chmodSync(temp, 0o1777);
  const { stdout, exitCode } = await doctor(["--json"], { TMPDIR: temp });
  expect(exitCode).toBe(0);
  const report = JSON.parse(stdout) as Report;
  expect(report).toMatchObject({ usable: true, backend: "local" });
  expect(report.engine).toContain("bubblewrap");
  expect(stateOf(report, "sandbox")).toBe("ok");
  expect(stateOf(report, "terminals")).toBe("ok");
  expect(stateOf(report, "memory limit")).toBe("ok");
  expect(stateOf(report, "process limit")).toBe("ok");
  expect(stateOf(report, "network")).toBe("ok");
  for (const name of ["cpu limit", "disk limit"]) {
    const finding = report.findings.find((each) => each.name === name);
    expect(finding?.detail).toContain("enforced");
    if (finding?.state !== "ok") expect(finding?.remedy).toBeTruthy();
  }
  const found = new Map(report.images[0]?.tools.map(({ name, path }) => [name, path]));
  expect(found.get("sh")).toBeTruthy();
  expect(found.has("python3")).toBe(true);
  expect(readdirSync(temp)).toEqual([]);
});

test("doctor takes the engine that is configured, and tells a person what is weaker", async () => {
  const { stdout, exitCode } = await doctor([], {}, { local: { engine: "process" } });
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^engine +process \(as configured\)$/m);
  expect(stdout).toMatch(/^! +isolation +none: /m);
  expect(stdout).toContain("Usable.");
  for (const limit of ["memory", "cpu", "process", "disk"])
    expect(stdout).toMatch(new RegExp(`^!   ${limit} limit .*not enforced`, "m"));
  expect(stdout).toMatch(/^! +network .*bubblewrap/m);
});

test("doctor says what a sandbox of each configured image finds, and how to get what is not there", async () => {
  const root = busyboxImage(["sh", "head", "tar"]);
  const images = { "bare:1": root };
  const config = { local: { engine: "bubblewrap", images } };
  const { stdout, exitCode } = await doctor(["--json"], {}, config);
  expect(exitCode).toBe(0);
  const report = JSON.parse(stdout) as Report;
  expect(report.images.map(({ image }) => image)).toEqual(["python:3.11", "bare:1"]);
  const [, bare] = report.images;
  expect(bare).toMatchObject({ root, remedy: expect.stringContaining(root) });
  const paths = new Map(bare?.tools.map(({ name, path }) => [name, path]));
  expect(paths.get("tar")).toContain("tar");
  expect(paths.get("python3")).toBeUndefined();

  const broken = { "broken:1": emptyImage() };
  const second = await doctor(["--json"], {}, { local: { engine: "bubblewrap", images: broken } });
  expect(second.exitCode).toBe(0);
  expect(stateOf(JSON.parse(second.stdout) as Report, "image broken:1")).toBe("weaker");
});

test("doctor ends with 1 and the reason where there would be no sandbox", async () => {
  const images = { "node:22": "/nowhere" };
  const { stdout, exitCode } = await doctor(["--json"], {}, { local: { images } });
  expect(exitCode).toBe(1);
  const report = JSON.parse(stdout) as Report;
  expect(report.usable).toBe(false);
  expect(report.findings.find(({ state }) => state === "missing")?.detail).toContain("/nowhere");
});

test("doctor asks a remote service for a listing, and makes a sandbox only with --run", async () => {
  await using service = await startServe(lastBed());
  const first = await doctor(["--json"], service.env);
  expect(first.exitCode).toBe(0);
  const asked = JSON.parse(first.stdout) as Report;
  const localServiceUrl = service.env["CWSANDBOX_BASE_URL"];
  expect(asked).toMatchObject({ usable: true, backend: "coreweave", localServiceUrl });
  expect(stateOf(asked, "service")).toBe("ok");
  expect(asked.findings.at(-1)?.detail).toContain("none was made");
  expect(asked.findings.at(-1)?.detail).not.toContain("billed");
  expect(asked.images).toEqual([]);
  expect((await doctor([], service.env)).stdout).toContain(
    `backend  local, served at ${localServiceUrl} (CWSANDBOX_`,
  );
  expect(await service.list(["--all"])).toEqual([]);

  const second = await doctor(["--json", "--run"], service.env);
  expect(second.exitCode).toBe(0);
  expect((JSON.parse(second.stdout) as Report).images[0]?.tools.length).toBeGreaterThan(0);
  expect(await service.list(["--all"])).toHaveLength(1);
  expect(await service.list()).toEqual([]);

  const wrongKey = await doctor([], { ...service.env, CWSANDBOX_API_KEY: "wrong" });
  expect(wrongKey.exitCode).toBe(1);
  expect(wrongKey.stdout).toContain("Not usable.");
});

test("doctor ends with 2 for wrong usage", async () => {
  expect((await doctor(["--nope"])).exitCode).toBe(2);
  expect((await doctor([], {}, { backend: "moon" })).exitCode).toBe(2);
});
