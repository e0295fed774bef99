import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { ConfigurationError, NotFoundError } from "../errors/request-errors.ts";
import { Session } from "../session/session.ts";
import { startTestService, type TestService } from "../testing/local-service.ts";
import { Sandbox } from "./sandbox.ts";

const folder = mkdtempSync("/tmp/tidybox-client-test-");
const secretsFile = join(folder, "secrets.json");
let service: TestService;

beforeAll(async () => {
  writeFileSync(secretsFile, JSON.stringify({ team: { key: "the-value" } }), { mode: 0o600 });
  service = await startTestService({
    secretsFile,
    volumes: { cache: {} },
    templates: {
      grader: {
        containers: [
          {
            name: "main",
            image: "python:3.11",
            environmentVariables: { WHO: "template" },
            secretStores: [{ storeName: "team", secrets: [{ path: "key", envVar: "KEY" }] }],
          },
        ],
        tags: ["grader"],
        maxLifetimeSeconds: 100,
      },
    },
  });
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

test("a sandbox from a template is the template's, but for what is given", async () => {
  const { connection } = service;
  await using plain = await Sandbox.fromTemplate("grader", { connection });
  expect(plain.tags).toEqual(["grader"]);
  expect((await plain.exec(["printenv", "WHO", "KEY"])).stdout).toBe("template\nthe-value\n");
  expect((await plain.status()).maxLifetimeSeconds).toBe(100);

  await using changed = await Sandbox.fromTemplate("grader", {
    connection,
    containerImage: "python:3.11",
    environment: { WHO: "me" },
    maxLifetimeSeconds: 50,
  });
  expect(changed.tags).toEqual(["grader"]);
  expect((await changed.exec(["printenv", "WHO"])).stdout).toBe("me\n");
  expect((await changed.exec(["printenv", "KEY"])).exitCode).toBe(1);
  expect((await changed.status()).maxLifetimeSeconds).toBe(50);
});

test("an option of the container without an image is refused before anything is sent", async () => {
  const { connection } = service;
  for (const overrides of [
    { environment: { A: "b" } },
    { command: ["sleep", "1"] },
    { volumes: [{ name: "v", mountPath: "/data" }] },
  ]) {
    await expect(Sandbox.fromTemplate("grader", { connection, ...overrides })).rejects.toThrow(
      /containerImage/,
    );
  }
  await expect(Sandbox.fromTemplate(" ", { connection })).rejects.toThrow(ConfigurationError);
  expect(await Sandbox.list({ connection }).toArray()).toEqual([]);
});

test("a template that is not there is not found, and leaves nothing", async () => {
  const { connection } = service;
  await expect(Sandbox.fromTemplate("none", { connection })).rejects.toThrow(NotFoundError);
  expect(await Sandbox.list({ connection }).toArray()).toEqual([]);
});

test("a session owns what it makes from a template, under its tags", async () => {
  const { connection } = service;
  const session = new Session({ connection, defaults: { tags: ["run"], command: ["false"] } });
  const sandbox = await session.sandboxFromTemplate("grader", { tags: ["mine"] });
  expect(sandbox.tags).toEqual(["run", "mine"]);
  await session.close();
  expect(await Sandbox.list({ connection }).toArray()).toEqual([]);
  await expect(session.sandboxFromTemplate("grader")).rejects.toThrow(/closed/);
});

test("an answer that is lost makes no second sandbox", async () => {
  const templates = { t: { containers: [{ name: "main", image: "python:3.11" }] } };
  const lossy = await startTestService({ templates, faults: { dropAnswer: { create: "2x" } } });
  onTestFinished(() => lossy[Symbol.asyncDispose]());
  const { connection } = lossy;
  await using sandbox = await Sandbox.fromTemplate("t", { connection });
  const all = await Sandbox.list({ connection, showTerminated: true }).toArray();
  expect(all.map(({ id }) => id)).toEqual([sandbox.id]);
});

test("registered volumes are shared, and sandboxes found by them", async () => {
  const { connection } = service;
  const volumes = [{ name: "data", volumeId: "cache", mountPath: "/cache" }];
  await using one = await Sandbox.run({ connection, volumes });
  await using two = await Sandbox.run({ connection, volumes });
  await using other = await Sandbox.run({ connection });
  await one.exec(["sh", "-c", "echo shared > /cache/file"], { check: true });
  expect((await two.exec(["cat", "/cache/file"])).stdout).toBe("shared\n");
  const found = await Sandbox.list({ connection, volumeIds: ["cache"] }).toArray();
  expect(found.map(({ id }) => id).toSorted()).toEqual([one.id, two.id].toSorted());
  expect(found.map(({ id }) => id)).not.toContain(other.id);
});
