import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { ErrorReason, SandboxSpecSchema, State } from "@tidybox/protocol";
import { describe, expect, test } from "vitest";
import { startedServices } from "../../testing/started-services.ts";
import {
  createRunning,
  refusalOf,
  run,
  sh,
  specOf,
  untilEnded,
} from "../../testing/test-service.ts";

const { start, folder } = startedServices();

describe("registered volumes", () => {
  const volumes = { shared: {}, "kept-out": {} };
  const mounting = (volumeId: string, readOnly = false) =>
    specOf(
      { volumeMounts: [{ volume: "data", mountPath: "/data", readOnly }] },
      { volumes: [{ name: "data", source: { case: "volumeId", value: volumeId } }] },
    );

  test("are shared live between sandboxes, and stay when those end", async () => {
    const { client } = await start({ volumes });
    const one = await createRunning(client, mounting("shared"));
    const two = await createRunning(client, mounting("shared", true));
    await sh(client, one, "echo hello > /data/greeting");
    expect((await run(client, two, "cat", "/data/greeting")).stdout).toBe("hello\n");
    expect((await sh(client, two, "echo no > /data/greeting")).exitCode).not.toBe(0);
    for (const sandboxId of [one, two]) await client.deleteSandbox({ sandboxId });
    await untilEnded(client, two);
    const three = await createRunning(client, mounting("shared"));
    expect((await run(client, three, "cat", "/data/greeting")).stdout).toBe("hello\n");
    const other = await createRunning(client, mounting("kept-out"));
    expect((await run(client, other, "ls", "/data")).stdout).toBe("");
  });

  test("are in the status, and sandboxes are found by them", async () => {
    const { client } = await start({ volumes });
    const sandboxId = await createRunning(client, mounting("shared"));
    await createRunning(client);
    const { status } = await client.getSandbox({ sandboxId });
    expect(status?.attachedVolumeIds).toEqual(["shared"]);
    const listed = await client.listSandboxes({ volumeIds: ["shared", "unknown"] });
    expect(listed.sandboxes.map((each) => each.sandboxId)).toEqual([sandboxId]);
    expect((await client.listSandboxes({ volumeIds: ["kept-out"] })).sandboxes).toEqual([]);
    const snapshot = client.createFileSystemSnapshot({ sandboxId, scratchVolumeName: "data" });
    expect(await refusalOf(snapshot)).toMatchObject({
      reason: ErrorReason.VOLUME_NOT_SNAPSHOTTABLE,
    });
  });

  test("are refused when nobody registered them, and where a link in them could be followed", async () => {
    const { client } = await start({ volumes });
    const refused = async (spec: ReturnType<typeof mounting>) =>
      refusalOf(client.createSandbox({ sandbox: { spec: create(SandboxSpecSchema, spec) } }));
    expect(await refused(mounting("unknown"))).toMatchObject({
      code: Code.InvalidArgument,
      message: expect.stringContaining("shared, kept-out"),
    });
    const volume = [{ name: "data", source: { case: "volumeId", value: "shared" } as const }];
    const mounts = (...volumeMounts: object[]) => specOf({ volumeMounts }, { volumes: volume });
    expect(
      await refused(mounts({ volume: "data", mountPath: "/data", subPath: "x" })),
    ).toMatchObject({ code: Code.Unimplemented });
    expect(
      await refused(
        mounts({ volume: "data", mountPath: "/data" }, { volume: "data", mountPath: "/data/x" }),
      ),
    ).toMatchObject({ code: Code.Unimplemented });
  });

  test("leave scratch volumes alone, whatever those are called", async () => {
    const { client } = await start({ volumes });
    const scratch = specOf(
      {
        volumeMounts: [
          { volume: "constructor", mountPath: "/scratch" },
          { volume: "data", mountPath: "/data" },
        ],
      },
      {
        volumes: [
          { name: "constructor" },
          { name: "data", source: { case: "volumeId", value: "shared" } },
        ],
      },
    );
    const one = await createRunning(client, scratch);
    await sh(client, one, "touch /scratch/mine /data/ours");
    const two = await createRunning(client, scratch);
    expect((await sh(client, two, "ls /scratch /data")).stdout).not.toContain("mine");
    expect((await sh(client, two, "ls /data")).stdout).toBe("ours\n");
    // A working directory in a live volume is looked for from inside, and must be there.
    const missing = specOf(
      { workingDir: "/data/none", volumeMounts: [{ volume: "data", mountPath: "/data" }] },
      { volumes: [{ name: "data", source: { case: "volumeId", value: "shared" } }] },
    );
    const { sandboxId } = await client.createSandbox({
      sandbox: { spec: create(SandboxSpecSchema, missing) },
    });
    expect((await untilEnded(client, sandboxId)).status?.state).toBe(State.FAILED);
    expect((await sh(client, two, "ls /data")).stdout).toBe("ours\n");
  });

  test("can be a folder of this machine, and read-only", async () => {
    const host = folder();
    writeFileSync(join(host, "model"), "weights");
    // Nothing but the mount keeps anybody from writing.
    chmodSync(host, 0o777);
    chmodSync(join(host, "model"), 0o666);
    const { client } = await start({ volumes: { model: { folder: host, readOnly: true } } });
    const sandboxId = await createRunning(client, mounting("model"));
    expect((await run(client, sandboxId, "cat", "/data/model")).stdout).toBe("weights");
    expect((await sh(client, sandboxId, "echo x > /data/model")).exitCode).not.toBe(0);
    expect(readFileSync(join(host, "model"), "utf8")).toBe("weights");
  });
});
