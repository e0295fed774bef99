import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { ConfigurationError } from "../errors/request-errors.ts";
import { type TestService, startTestService } from "../testing/local-service.ts";
import { Sandbox } from "./sandbox.ts";

const KEEP = ["sh", "-c", "echo log of side; sleep 1000"];

let service: TestService;
let sandbox: Sandbox;
beforeAll(async () => {
  service = await startTestService({ engine: "bubblewrap" });
  sandbox = await Sandbox.run(["sh", "-c", "echo log of main; sleep 1000"], {
    connection: service.connection,
    containers: [
      { name: "side", image: "python:3.11", command: KEEP, environment: { WHERE: "side" } },
    ],
    initContainers: [
      { name: "first", image: "python:3.11", command: ["sh", "-c", "echo log of first"] },
    ],
  });
});
afterAll(async () => service?.[Symbol.asyncDispose]());

const container = "side";

function folder(): string {
  const made = mkdtempSync("/tmp/tidybox-client-containers-");
  onTestFinished(() => rmSync(made, { recursive: true }));
  return made;
}

describe("the option container", () => {
  test("runs commands in one of several, and in the primary one without it", async () => {
    const where = ["sh", "-c", 'printf %s "${WHERE-main}"'];
    expect((await sandbox.exec(where, { container })).stdout).toBe("side");
    expect((await sandbox.exec(where)).stdout).toBe("main");
    await using spawned = await sandbox.spawn(where, { container });
    expect(await spawned.text()).toBe("side");
    await using terminal = await sandbox.spawn(where, { container, tty: true });
    expect(await terminal.text()).toBe("side");
  });

  test("reads and writes files of one: small, streamed, many and whole directories", async () => {
    const here = folder();
    writeFileSync(join(here, "local"), "uploaded");
    await sandbox.writeFile("/tmp/small", "small", { container });
    await sandbox.writeFile("/tmp/streamed", new Blob(["streamed"]).stream(), { container });
    await sandbox.writeFiles({ "/tmp/many": "many" }, { container });
    await sandbox.uploadDirectory(here, "/tmp/folder", { container });
    const { stdout } = await sandbox.exec(
      ["cat", "/tmp/small", "/tmp/streamed", "/tmp/many", "/tmp/folder/local"],
      { container, check: true },
    );
    expect(stdout).toBe("smallstreamedmanyuploaded");
    expect(await sandbox.readTextFile("/tmp/small", { container })).toBe("small");
    const read: Uint8Array[] = [];
    for await (const part of sandbox.readFileStream("/tmp/streamed", { container }))
      read.push(part);
    expect(Buffer.concat(read).toString()).toBe("streamed");
    expect([...(await sandbox.readFiles(["/tmp/many"], { container })).keys()]).toEqual([
      "/tmp/many",
    ]);
    const down = folder();
    await sandbox.downloadDirectory("/tmp/folder", down, { container });
    expect(readFileSync(join(down, "local"), "utf8")).toBe("uploaded");
    // None of it is in the primary one.
    await expect(sandbox.readFile("/tmp/small")).rejects.toMatchObject({
      reason: "CWSANDBOX_FILE_NOT_FOUND",
    });
  });

  test("reads the log of one, init containers too", async () => {
    const log = (name?: string) => sandbox.logs({ container: name }).text();
    expect(await log()).toBe("log of main\n");
    expect(await log("side")).toBe("log of side\n");
    expect(await log("first")).toBe("log of first\n");
  });

  test("is refused, by its name, where there is no such container, or no name", async () => {
    await expect(sandbox.exec(["true"], { container: "nobody" })).rejects.toThrow(/nobody/);
    await expect(sandbox.exec(["true"], { container: "" })).rejects.toBeInstanceOf(
      ConfigurationError,
    );
    await expect(sandbox.readFile("/a", { container: " " })).rejects.toThrow(/container/);
    expect(() => sandbox.logs({ container: "" })).toThrow(/container/);
  });
});

test("a status tells the containers apart, and how those exited that have ended", async () => {
  const { containerStatuses } = await sandbox.status();
  const states = new Map(containerStatuses.map(({ name, ...rest }) => [name, rest]));
  expect(states.get("main")).toEqual({ state: "running", exitCode: undefined, restartCount: 0 });
  expect(states.get("side")).toMatchObject({ state: "running", exitCode: undefined });
  expect(states.get("first")).toMatchObject({ state: "completed", exitCode: 0 });
});
