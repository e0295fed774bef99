import { Code, ConnectError } from "@connectrpc/connect";
import {
  type Connection,
  QuotaError,
  removeCleanupHandlers,
  Sandbox,
  TimeoutError,
} from "@tidybox/client";
import { describe, expect, test } from "vitest";
import { configFile, makeProject } from "../support/bed.ts";
import { lastBed } from "../support/last-bed.ts";
import { tidybox } from "../support/observer.ts";
import { runVitest } from "../support/runner.ts";
import { connectionTo, type Served, startServe } from "../support/serve.ts";

// The services of these tests take their sandboxes along.
removeCleanupHandlers();

interface Rehearsal {
  readonly faults: Readonly<Record<string, unknown>>;
  readonly activeSandboxes: number;
  readonly maxSandboxes?: number;
}

async function rehearse(service: Served, ...args: readonly string[]): Promise<Rehearsal> {
  const { stdout } = await tidybox(lastBed(), ["rehearse", "--json", ...args], service.env);
  return JSON.parse(stdout) as Rehearsal;
}

/** What becomes of so many calls, one after the other: without retries. */
async function fates(connection: Connection, calls: number): Promise<readonly string[]> {
  const codes: string[] = [];
  for (let call = 0; call < calls; call += 1) {
    const failed = (error: unknown): string => Code[ConnectError.from(error).code] ?? "";
    codes.push(await connection.client.getSandbox({ sandboxId: "none" }).then(() => "", failed));
  }
  return codes;
}

test("what goes wrong is changed flag by flag while serve runs, shown, and cleared", async () => {
  await using service = await startServe(lastBed(), ["--latency", "list=1ms", "--seed", "9"]);
  expect(await rehearse(service, "--show")).toMatchObject({
    faults: { latency: { list: "1ms" }, seed: 9 },
    activeSandboxes: 0,
  });
  const changed = await rehearse(
    service,
    ...["--fail", "get=1", "--drop-answer", "delete=1x", "--create-rate", "50/s"],
  );
  expect(changed.faults).toEqual({
    latency: { list: "1ms" },
    fail: { get: "1" },
    dropAnswer: { delete: "1x" },
    createRate: "50/s",
    seed: 9,
  });
  const connection = connectionTo(service);
  expect(await fates(connection, 2)).toEqual(["Unavailable", "Unavailable"]);
  const { faults } = await rehearse(service, "--clear");
  expect(Object.keys(faults)).toEqual(["seed"]);
  expect(await fates(connection, 2)).toEqual(["NotFound", "NotFound"]);
  const { stdout } = await tidybox(lastBed(), ["rehearse", "--show"], service.env);
  expect(stdout).toContain("nothing goes wrong on purpose");
});

describe("a quota", () => {
  test("that is used up makes a client wait, and tells it so when its time is over", async () => {
    await using service = await startServe(lastBed(), ["--quota", "1"]);
    const connection = connectionTo(service);
    await using first = await Sandbox.run({ connection });
    const refused = await Sandbox.run({ connection, startTimeoutSeconds: 1 }).catch(
      (error: unknown) => error,
    );
    expect(refused).toBeInstanceOf(TimeoutError);
    const why = {
      reason: "CWSANDBOX_RUNNER_CAPACITY_EXHAUSTED",
      message: expect.stringContaining("this local service allows 1"),
    };
    expect(refused).toMatchObject(why);
    const { cause } = refused as TimeoutError;
    expect(cause).toBeInstanceOf(QuotaError);
    expect(cause).toMatchObject(why);
    // One that is there for it in time has it.
    const waiting = Sandbox.run({ connection, startTimeoutSeconds: 30 });
    await first.stop();
    await using second = await waiting;
    expect(second.state).toBe("running");
  });

  test("that is lowered below what is alive refuses creates and ends nothing, and can be raised", async () => {
    await using service = await startServe(lastBed(), ["--max-sandboxes", "5"]);
    const connection = connectionTo(service);
    await using one = await Sandbox.run({ connection });
    await using two = await Sandbox.run({ connection });
    expect(await rehearse(service, "--quota", "1")).toMatchObject({
      activeSandboxes: 2,
      maxSandboxes: 1,
    });
    await expect(Sandbox.run({ connection, startTimeoutSeconds: 1 })).rejects.toMatchObject({
      cause: { code: "quota_exceeded" },
    });
    for (const each of [one, two]) await each.exec(["true"], { check: true });
    expect(await rehearse(service, "--clear")).toMatchObject({ maxSandboxes: 5 });
    await using three = await Sandbox.run({ connection });
    expect(three.state).toBe("running");
  });
});

test("a seed gives the same fates to the calls of two services, and others to another seed", async () => {
  const told = ["--fail", "get=0.5:internal", "--latency", "get=0ms-5ms"];
  const seen: (readonly string[])[] = [];
  for (const seed of ["42", "42", "43"]) {
    await using service = await startServe(lastBed(), [...told, "--seed", seed]);
    const connection = connectionTo(service);
    // Other calls in between move nothing.
    if (seen.length === 1) await connection.client.listSandboxes({});
    seen.push(await fates(connection, 40));
  }
  const [first, second, other] = seen;
  expect(new Set(first)).toEqual(new Set(["Internal", "NotFound"]));
  expect(second).toEqual(first);
  expect(other).not.toEqual(first);
});

test("the seed that was told repeats what a rehearsal without one has met", async () => {
  await using service = await startServe(lastBed(), ["--fail", "get=0.5"]);
  const connection = connectionTo(service);
  const first = await fates(connection, 30);
  const seed = /seed (\d+)/.exec(service.stderr())?.[1];
  await rehearse(service, "--seed", seed ?? "");
  expect(await fates(connection, 30)).toEqual(first);
});

test("the service of a run that is under way is rehearsed by the run's id", async () => {
  const main = `${lastBed().directory}/node_modules/tidybox/dist/main.js`;
  await using project = await makeProject(lastBed(), {
    "a.test.ts": `
      import { execFileSync } from "node:child_process";
      import { expect, test } from "@tidybox/vitest";
      test("a", async ({ sandbox, run }) => {
        const rehearse = (...args: string[]) =>
          JSON.parse(
            execFileSync(process.execPath, [${JSON.stringify(main)}, "rehearse", "--json", "--run", run.id, ...args], { encoding: "utf8" }),
          );
        expect(rehearse("--show")).toMatchObject({ faults: { quota: 4 }, maxSandboxes: 4, activeSandboxes: 1 });
        rehearse("--fail", "StreamExec=unavailable", "--quota", "0");
        await expect(sandbox.exec(["true"])).rejects.toMatchObject({ code: "unavailable" });
        rehearse("--clear");
        await sandbox.exec(["true"], { check: true });
      }, 60_000);
    `,
    "vitest.config.ts": configFile("{ warm: false, local: { faults: { quota: 4 } } }"),
  });
  const run = await runVitest(project);
  expect(run.exitCode, run.output).toBe(0);
  expect(run.account).toMatch(/1 sandbox: .*0 left/);
});

test.each([
  ["nothing to do", [], /--clear/],
  ["showing and changing at once", ["--show", "--quota", "1"], /--show/],
  ["a quota that is no number", ["--quota", "few"], /--quota/],
  ["an RPC that is none", ["--fail", "creat=1x"], /faults\.fail/],
])("wrong usage of rehearse (%s) ends with status 2 and says why", async (_, args, says) => {
  await using service = await startServe(lastBed());
  const error = await tidybox(lastBed(), ["rehearse", ...args], service.env).then(
    () => undefined,
    (failed: { code: number; stderr: string }) => failed,
  );
  expect(error?.code).toBe(2);
  expect(error?.stderr).toMatch(says);
});
