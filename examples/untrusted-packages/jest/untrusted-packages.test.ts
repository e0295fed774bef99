import { existsSync } from "node:fs";
import { describe, expect } from "@jest/globals";
import { afterEach, beforeEach, test } from "@tidybox/jest";
import { knownPackages } from "../src/packages.ts";
import { EVIL_PACKAGE, probe } from "../src/probe.ts";
import { assertNothingReached, runOnHost, VARIABLE } from "../src/proofs.ts";
import { successes } from "../src/report.ts";
import { type Host, openHost } from "../src/targets.ts";

/** Jest cannot skip a test that runs: with this engine, those of the sandbox say nothing. */
const NOT_ISOLATED = "process";

let host: Host;
beforeEach(async ({ run }) => {
  // On a service's machine, a file such as /root/.bashrc is the image's own.
  host = await openHost({ variable: VARIABLE, home: run.backend === "local" });
});
afterEach(() => host?.close());

describe("a published package", () => {
  test.each(knownPackages((names) => expect.arrayContaining([...names])))(
    "$name works, and could not reach anything",
    async (known, { sandbox, run }) => {
      if (run.engine === NOT_ISOLATED) return;
      const report = await probe(sandbox, known.name, host.targets);
      expect(report.answer).toEqual(known.answer);
      expect(report.touched).toEqual(known.touched);
      await assertNothingReached(report.loot, host, run.backend);
    },
  );
});

describe("the evil package", () => {
  // Processes are found in /proc.
  const onLinux = existsSync("/proc/self/cmdline") ? test : test.skip;
  onLinux("gets everything where no sandbox is in its way", async () => {
    const found = await runOnHost(host.targets);
    expect(successes(found)).toEqual(Object.keys(found));
    expect(found["environment variable"]).toEqual({ got: process.env[VARIABLE] });
    expect(host.connections()).toBe(2);
    expect(await host.victim()).toBe("owned");
  });

  test("tries it all in a sandbox, is seen, and gets nothing", async ({ sandbox, run }) => {
    if (run.engine === NOT_ISOLATED) return;
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
    await assertNothingReached(loot, host, run.backend);
  });

  test("leaves nothing behind for the next", async ({ createSandbox, run }) => {
    if (run.engine === NOT_ISOLATED) return;
    const first = await createSandbox();
    await first.writeFile("/tmp/implant.js", "evil");
    await first.writeFile("/workspace/node_modules/ms/index.js", "evil");
    await first.stop();
    const next = await createSandbox();
    expect(await next.exec(["ls", "/tmp", "/workspace"])).not.toPrint(/implant|node_modules/);
  });
});
