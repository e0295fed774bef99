import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { removeCleanupHandlers, Sandbox, TidyboxError } from "@tidybox/client";
import { expect, onTestFinished, test } from "vitest";
import { busyboxImage } from "../support/image-root.ts";
import { lastBed } from "../support/last-bed.ts";
import { tidybox } from "../support/observer.ts";
import { connectionTo, startServe } from "../support/serve.ts";

// The services of these tests take their sandboxes along.
removeCleanupHandlers();

function folder(): string {
  const made = mkdtempSync("/tmp/tidybox-serve-test-");
  onTestFinished(() => rmSync(made, { recursive: true }));
  return made;
}

test("serve fails, drops answers and delays what it is told to, and says with which seed", async () => {
  await using service = await startServe(lastBed(), [
    ...["--fail", "create=2x:unavailable", "--drop-answer", "create=3x"],
    ...["--latency", "start=50ms-100ms,get=1ms", "--seed", "42"],
  ]);
  expect(service.stderr()).toContain("seed 42");
  const connection = connectionTo(service);
  await using sandbox = await Sandbox.run({ connection });
  // Two creates failed, one answer was lost: there is one sandbox all the same.
  expect((await service.list(["--all"])).map(({ id }) => id)).toEqual([sandbox.id]);
});

test("serve refuses creates beyond the rate", async () => {
  await using service = await startServe(lastBed(), ["--create-rate", "1/min"]);
  const connection = connectionTo(service);
  await using sandbox = await Sandbox.run({ connection });
  const second = Sandbox.run({ connection, startTimeoutSeconds: 1 });
  await expect(second).rejects.toBeInstanceOf(TidyboxError);
  expect((await service.list(["--all"])).map(({ id }) => id)).toEqual([sandbox.id]);
});

test("serve has the templates, volumes and secrets that it is given, and keeps them with --data", async () => {
  const where = folder();
  const secrets = join(where, "secrets.json");
  writeFileSync(secrets, JSON.stringify({ team: { key: "value" } }), { mode: 0o600 });
  const template = join(where, "template.json");
  const containers = [
    {
      name: "main",
      image: "python:3.11",
      secretStores: [{ storeName: "team", secrets: [{ path: "key", envVar: "KEY" }] }],
      volumeMounts: [{ volume: "notes", mountPath: "/notes" }],
    },
  ];
  const volumes = [{ name: "notes", volumeId: "notes" }];
  writeFileSync(template, JSON.stringify({ containers, volumes }));
  // Not below the folder of the secrets: that is private, and the service may be somebody else.
  const data = join("/tmp", `tidybox-serve-data-${process.pid}`);
  onTestFinished(() => rmSync(data, { recursive: true, force: true }));
  const always = ["--data", data, "--secrets", secrets, "--volume", "notes"];
  {
    await using service = await startServe(lastBed(), [...always, "--template", `t=${template}`]);
    await using sandbox = await Sandbox.fromTemplate("t", { connection: connectionTo(service) });
    const script = 'printf "%s" "$KEY" > /notes/note';
    await sandbox.exec(["sh", "-c", script], { check: true });
  }
  await using service = await startServe(lastBed(), always);
  await using sandbox = await Sandbox.fromTemplate("t", { connection: connectionTo(service) });
  expect((await sandbox.exec(["cat", "/notes/note"])).stdout).toBe("value");
});

test("serve runs the images that it is given on their own programs", async () => {
  const root = busyboxImage(["sh", "cat"]);
  await using service = await startServe(lastBed(), [
    ...["--engine", "bubblewrap", "--image", `bare:1=${root}`, "--image", `other:1=${root}`],
  ]);
  const connection = connectionTo(service);
  for (const containerImage of ["bare:1", "other:1"]) {
    await using sandbox = await Sandbox.run({ connection, containerImage });
    const { stdout } = await sandbox.exec(["sh", "-c", "cd /usr/bin; echo *"], { check: true });
    expect(stdout).toBe("busybox cat sh\n");
  }
});

test.each([
  ["a latency without a time", ["--latency", "create"], /--latency/],
  ["an RPC that is none", ["--fail", "creat=0.1"], /faults\.fail/],
  ["a probability above 1", ["--drop-answer", "create=2"], /faults\.dropAnswer/],
  ["a rate without a unit", ["--create-rate", "5"], /createRate/],
  ["a seed that is no number", ["--seed", "x"], /--seed/],
  ["a quota that is no number", ["--quota", "few"], /--quota/],
  ["an image without a root", ["--image", "bare:1"], /--image/],
  ["an image whose root is nowhere", ["--image", "bare:1=/nowhere"], /images/],
  ["a template without a file", ["--template", "t"], /--template/],
  ["secrets that all can read", ["--secrets", "/etc/passwd"], /chmod 600/],
  ["a folder that all can read", ["--data", "/etc"], /dataFolder/],
  ["a volume that is nowhere", ["--volume", "v=/nowhere"], /volumes/],
])("wrong usage of serve (%s) ends with status 2 and one line", async (_, args, says) => {
  const error = await tidybox(lastBed(), ["serve", ...args]).then(
    () => undefined,
    (failed: { code: number; stderr: string }) => failed,
  );
  expect(error?.code).toBe(2);
  expect(error?.stderr.trim().split("\n")).toHaveLength(1);
  expect(error?.stderr).toMatch(says);
});
