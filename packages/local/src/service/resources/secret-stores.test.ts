import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { ErrorReason, SandboxSpecSchema } from "@tidybox/protocol";
import { describe, expect, test } from "vitest";
import { startedServices } from "../../testing/started-services.ts";
import { createRunning, refusalOf, RefusedStart, sh, specOf } from "../../testing/test-service.ts";

const { start, folder } = startedServices();

describe("secrets", () => {
  const value = "s3cr3t-value-of-this-test";

  function secretsFile(mode = 0o600): string {
    const file = join(folder(), "secrets.json");
    const stores = { team: { plain: value, structured: { user: "me", password: `${value}-2` } } };
    writeFileSync(file, JSON.stringify(stores), { mode });
    return file;
  }

  const using = (storeName: string, path: string, field = "", envVar = "SECRET") =>
    specOf({
      command: "sleep",
      args: ["1000"],
      secretStores: [{ storeName, secrets: [{ path, field, envVar }] }],
    });

  test("become variables of the container, and show up nowhere else", async () => {
    const service = await start({ secretsFile: secretsFile() });
    const { client } = service;
    const sandboxId = await createRunning(client, using("team", "plain"));
    expect((await sh(client, sandboxId, "printenv SECRET")).stdout).toBe(`${value}\n`);
    const nested = await createRunning(client, using("team", "structured", "password"));
    expect((await sh(client, nested, "printenv SECRET")).stdout).toBe(`${value}-2\n`);
    const shown = [
      await client.getSandbox({ sandboxId }),
      await client.listSandboxes({}),
      await service.notices(),
      argumentsOfAll(),
    ];
    const seen = JSON.stringify(shown, (_, each: unknown) =>
      typeof each === "bigint" ? String(each) : each,
    );
    expect(seen).toContain("team");
    expect(seen).not.toContain(value);
  });

  test("that lead nowhere are refused", async () => {
    const { client } = await start({ secretsFile: secretsFile() });
    const refused = async (spec: ReturnType<typeof using>) =>
      refusalOf(client.createSandbox({ sandbox: { spec: create(SandboxSpecSchema, spec) } }));
    expect(await refused(using("other", "plain"))).toMatchObject({
      code: Code.FailedPrecondition,
      reason: ErrorReason.SECRET_STORE_NOT_PROVISIONED,
    });
    expect(await refused(using("team", "missing"))).toMatchObject({ code: Code.InvalidArgument });
    expect(await refused(using("team", "structured"))).toMatchObject({
      code: Code.InvalidArgument,
      message: expect.stringContaining("user, password"),
    });
    expect(await refused(using("team", "plain", "", "LD_PRELOAD"))).toMatchObject({
      code: Code.Unimplemented,
    });
    expect(await refused(using("constructor", "name"))).toMatchObject({
      reason: ErrorReason.SECRET_STORE_NOT_PROVISIONED,
    });
  });

  test("are not read from a file that others can read, and a broken file is not quoted", async () => {
    const open = await start({ secretsFile: secretsFile(0o644) }).catch((error: unknown) => error);
    expect(open).toMatchObject({
      code: "local_option_invalid",
      message: expect.stringContaining("chmod 600"),
    });
    const file = secretsFile();
    writeFileSync(file, `{"team": ${value}`);
    const broken = await start({ secretsFile: file }).catch((error: unknown) => error);
    expect(broken).toBeInstanceOf(RefusedStart);
    expect((broken as RefusedStart).message).not.toContain(value);
  });
});

/** Command lines of all processes of this machine. */
function argumentsOfAll(): readonly string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "latin1");
      } catch {
        return "";
      }
    });
}
