import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeEach, describe, expect, type Sandbox, test as base } from "@tidybox/vitest";
import { EVIL_PACKAGE, probe } from "./probe.ts";
import { type Loot, parseLoot, successes } from "./report.ts";
import { type Host, openHost, type Targets, UNTOUCHED } from "./targets.ts";

const VARIABLE = "EXAMPLE_REGISTRY_TOKEN";

const test = base.extend<{ readonly host: Host }>({
  host: async ({ run }, use) => {
    // On a service's machine, a file such as /root/.bashrc is the image's own.
    const host = await openHost({ variable: VARIABLE, home: run.backend === "local" });
    await use(host);
    await host.close();
  },
});

beforeEach(({ run, skip }) => {
  skip(run.engine === "process", 'the engine "process" cannot deny egress and hides no files');
});

const NOTHING = { files: [], network: [], programs: [], variables: [] };

const PACKAGES = [
  {
    name: "chalk",
    answer: "\u001B[1m\u001B[31mstop\u001B[39m\u001B[22m",
    // It asks the environment whether colours are wanted, and that is all.
    touched: { ...NOTHING, variables: expect.arrayContaining(["FORCE_COLOR"]) },
  },
  {
    name: "nanoid",
    answer: { different: 1000, wellFormed: true, ownAlphabet: true },
    touched: NOTHING,
  },
  { name: "picomatch", answer: [true, true, false, false], touched: NOTHING },
  {
    name: "semver",
    answer: { newest: "1.9.0", sorted: ["0.9.9", "1.0.0-rc.9", "1.0.0-rc.10", "1.0.0"] },
    touched: { ...NOTHING, variables: ["NODE_DEBUG"] },
  },
];

describe("a published package", () => {
  test.for(PACKAGES)(
    "$name works, and could not reach anything",
    async (known, { sandbox, host, run, skip }) => {
      skip(!(await hasNode(sandbox)), "node is not in the sandbox");
      const report = await probe(sandbox, known.name, host.targets);
      expect(report.answer).toEqual(known.answer);
      expect(report.touched).toEqual(known.touched);
      await expectNothingReached(report.loot, host, run.backend);
    },
  );
});

describe("the evil package", () => {
  test("gets everything where no sandbox is in its way", async ({ host, skip }) => {
    skip(!existsSync("/proc/self/cmdline"), "processes are found in /proc, which is not here");
    const found = await runOnHost(host.targets);
    expect(successes(found)).toEqual(Object.keys(found));
    expect(found["environment variable"]).toEqual({ got: process.env[VARIABLE] });
    expect(host.connections()).toBe(2);
    expect(await host.victim()).toBe("owned");
  });

  test("tries it all in a sandbox, is seen, and gets nothing", async ({
    sandbox,
    host,
    run,
    skip,
  }) => {
    skip(!(await hasNode(sandbox)), "node is not in the sandbox");
    const { answer, touched, loot } = await probe(sandbox, EVIL_PACKAGE.name, host.targets);
    const { listener, files, victim } = host.targets;
    expect(touched.files).toEqual(expect.arrayContaining(["/proc", victim, ...files]));
    expect(touched.network).toEqual(
      expect.arrayContaining([`${listener.host}:${listener.port}`, "1.1.1.1:443"]),
    );
    expect(touched.network).toContain("registry.npmjs.org");
    expect(touched.programs).toHaveLength(1);
    expect(touched.variables).toContain(VARIABLE);
    expect(answer).toBe(Object.keys(loot).length);
    await expectNothingReached(loot, host, run.backend);
  });

  test("leaves nothing behind for the next", async ({ createSandbox, skip }) => {
    const first = await createSandbox();
    skip(!(await hasNode(first)), "node is not in the sandbox");
    await first.writeFile("/tmp/implant.js", "evil");
    await first.writeFile("/workspace/node_modules/ms/index.js", "evil");
    await first.stop();
    const next = await createSandbox();
    expect(await next.exec(["ls", "/tmp", "/workspace"])).not.toPrint(/implant|node_modules/);
  });
});

/** All that the evil package is after was there, and it is still there, and only there. */
async function expectNothingReached(loot: Loot, host: Host, backend: string): Promise<void> {
  expect(process.env[VARIABLE]).toMatch(/^npm_/);
  expect(Object.keys(loot)).toEqual(
    expect.arrayContaining([
      "environment variable",
      "process",
      "overwriting a file",
      "listener",
      "listener, from a child process",
      ...host.targets.files.map((path) => `file ${path}`),
      "outside 1.1.1.1",
    ]),
  );
  // The service lets DNS through where it denies everything else; the local engines have none.
  const named = backend === "local" ? [] : host.targets.names.map((name) => `name ${name}`);
  expect(successes(loot).filter((name) => !named.includes(name))).toEqual([]);
  // What we see ourselves, and need not believe a report for.
  expect(host.connections()).toBe(0);
  expect(await host.victim()).toBe(UNTOUCHED);
}

async function hasNode(sandbox: Sandbox): Promise<boolean> {
  return (await sandbox.exec(["sh", "-c", "command -v node"])).exitCode === 0;
}

const PRINT_LOOT = `
const { loot } = await import(process.argv[1]);
process.stdout.write(JSON.stringify(await loot));`;

/** The outside is left out: it is not there on every machine, and need not hear from this test. */
async function runOnHost(targets: Targets): Promise<Loot> {
  const folder = await mkdtemp(join(tmpdir(), "untrusted-packages-"));
  try {
    const file = join(folder, "targets.json");
    await writeFile(file, JSON.stringify({ ...targets, outside: [], names: [] }));
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--input-type=module", "--eval", PRINT_LOOT, join(EVIL_PACKAGE.folder, "index.js")],
      { env: { ...process.env, EVIL_TARGETS: file }, timeout: 30_000 },
    );
    return parseLoot(JSON.parse(stdout));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
