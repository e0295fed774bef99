import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import {
  ErrorReason,
  type Sandbox,
  SandboxSpecSchema,
  State,
  StorageMedium,
} from "@tidybox/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  createRunning,
  eventually,
  refusalOf,
  run,
  type ServiceClient,
  type SpecInit,
  startTestService,
  type TestService,
  untilEnded,
} from "../../testing/test-service.ts";
import { fullEngines } from "../../testing/tested-engines.ts";

type ContainerInit = NonNullable<SpecInit["containers"]>[number];

/** In a container that shares the volume of all. */
const shell = (name: string, script: string, more: object = {}): ContainerInit =>
  ({
    ...{ name, image: "python:3.11", command: "/bin/sh", args: ["-c", script] },
    volumeMounts: [{ volume: "shared", mountPath: "/shared" }],
    ...more,
  }) as ContainerInit;

const podOf = (containers: ContainerInit[], rest: SpecInit = {}): SpecInit =>
  ({
    ...{ containers, primaryContainer: "main", network: { denyEgress: true } },
    volumes: [{ name: "shared", source: { case: "scratch", value: {} } }],
    ...rest,
  }) as SpecInit;

const SERVER = `node -e '
  require("node:net").createServer((peer) => peer.end("hello from the other container\\n"))
    .listen(8080, "127.0.0.1", () => require("node:fs").writeFileSync("/shared/ready", ""))'`;
const CLIENT = `node -e '
  require("node:net").connect(8080, "127.0.0.1").pipe(process.stdout)'`;
/** Hundredths of a second, in programs of any system. */
const NOW = "$(cut -d ' ' -f 1 /proc/uptime | tr -d .)";

async function begin(client: ServiceClient, spec: SpecInit): Promise<string> {
  const sandbox = { spec: create(SandboxSpecSchema, spec) };
  return (await client.createSandbox({ sandbox })).sandboxId;
}

const statusesOf = ({ status }: Sandbox) =>
  Object.fromEntries((status?.containerStatuses ?? []).map((each) => [each.name, each]));

/** Whether a process with these words runs on this machine. */
function isAlive(words: string): boolean {
  return readdirSync("/proc").some((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(words);
    } catch {
      return false;
    }
  });
}

describe.each(fullEngines)("several containers in a sandbox of %s", (engine) => {
  let service: TestService;
  let client: ServiceClient;

  beforeAll(async () => {
    service = await startTestService({ engine });
    client = service.client;
  });

  afterAll(() => service.close());

  const inside = async (sandboxId: string, container: string, script: string) => {
    const answer = await client.exec({ sandboxId, container, command: ["/bin/sh", "-c", script] });
    return new TextDecoder().decode(answer.stdout);
  };

  test("init containers run to their end, in order, before the main one", async () => {
    const noted = (name: string) =>
      shell(
        name,
        `echo ${name} ${NOW} >> /shared/order; sleep 0.1; echo ${name} ${NOW} >> /shared/order`,
      );
    const sandboxId = await createRunning(
      client,
      podOf([shell("main", `echo main ${NOW} >> /shared/order; sleep 1000`)], {
        initContainers: [noted("first"), noted("second")],
      }),
    );
    await eventually(async () =>
      (await inside(sandboxId, "", "cat /shared/order")).includes("main"),
    );
    const order = (await inside(sandboxId, "", "cat /shared/order")).trim().split("\n");
    expect(order.map((line) => line.split(" ")[0])).toEqual([
      "first",
      "first",
      "second",
      "second",
      "main",
    ]);
    const times = order.map((line) => BigInt(line.split(" ")[1] ?? 0));
    expect(times).toEqual(times.toSorted((a, b) => (a < b ? -1 : 1)));
    const statuses = statusesOf(await client.getSandbox({ sandboxId }));
    expect(statuses["first"]).toMatchObject({
      state: State.COMPLETED,
      exitCode: 0,
      restartCount: 0,
    });
    expect(statuses["main"]).toMatchObject({ state: State.RUNNING, restartCount: 0 });
    await client.deleteSandbox({ sandboxId });
  });

  test("is CREATING while they run, and a failing one ends it, with its last words", async () => {
    const sandboxId = await begin(
      client,
      podOf([shell("main", "echo ran > /shared/main; sleep 1000")], {
        initContainers: [
          shell(
            "waits",
            "while [ ! -e /shared/never ]; do sleep 0.1; i=$((i+1)); [ $i -lt 5 ] || exit 0; done",
          ),
          shell("migrate", "echo cannot find the table >&2; exit 3"),
          shell("later", "true"),
        ],
      }),
    );
    const early = await client.getSandbox({ sandboxId });
    expect(early.status?.state).toBe(State.CREATING);
    const ended = await untilEnded(client, sandboxId);
    expect(ended.status?.state).toBe(State.FAILED);
    expect(ended.status?.stateReason).toMatch(
      /init container migrate: it ended with exit code 3; it said: cannot find the table/,
    );
    const statuses = statusesOf(ended);
    expect(statuses["waits"]).toMatchObject({ state: State.COMPLETED, exitCode: 0 });
    expect(statuses["migrate"]).toMatchObject({ state: State.COMPLETED, exitCode: 3 });
    expect(statuses["later"]?.state).toBe(State.TERMINATED);
    expect(statuses["main"]?.state).toBe(State.FAILED);
  });

  test("can be deleted while an init container runs", async () => {
    const sandboxId = await begin(
      client,
      podOf([shell("main", "sleep 1000")], { initContainers: [shell("endless", "sleep 4815162")] }),
    );
    await eventually(() => isAlive("4815162"));
    await client.deleteSandbox({ sandboxId });
    expect((await untilEnded(client, sandboxId)).status?.state).toBe(State.TERMINATED);
    expect(isAlive("4815162")).toBe(false);
  });

  test("talk to each other over loopback, and share a volume and the host name, but no processes or files", async () => {
    const sandboxId = await createRunning(
      client,
      podOf([shell("server", SERVER), shell("main", "sleep 4815163")]),
    );
    await eventually(async () => (await inside(sandboxId, "main", "ls /shared")) === "ready\n");
    expect(await inside(sandboxId, "main", CLIENT)).toBe("hello from the other container\n");
    const names = [
      await inside(sandboxId, "main", "hostname"),
      await inside(sandboxId, "server", "hostname"),
    ];
    expect(names[0]).toBe(names[1]);
    expect(await inside(sandboxId, "server", "cat /proc/[0-9]*/cmdline")).not.toContain("4815163");
    await inside(sandboxId, "server", "echo own > /tmp/own");
    expect(await inside(sandboxId, "main", "ls /tmp")).toBe("");
    await client.deleteSandbox({ sandboxId });
  });

  test("have no capability in each other's namespaces, and share the host's network where that is allowed", async (context) => {
    if (engine === "docker")
      context.skip(
        "Docker gives root in a container some capabilities, and never the host's network",
      );
    const sandboxId = await createRunning(
      client,
      podOf([shell("side", "sleep 1000"), shell("main", "sleep 1000")], { network: {} }),
    );
    const links = new Set<string>();
    for (const container of ["side", "main"]) {
      const script = `grep -E '^(CapEff|CapPrm|CapBnd|NoNewPrivs)' /proc/self/status
        unshare -Ur true 2>/dev/null && echo unshared
        echo x 2>/dev/null > /usr/x && echo written; readlink /proc/self/ns/net`;
      const said = (await inside(sandboxId, container, script)).trim().split("\n");
      expect(said.slice(0, -1).map((line) => line.replace(/\s+/, " "))).toEqual([
        "CapPrm: 0000000000000000",
        "CapEff: 0000000000000000",
        "CapBnd: 0000000000000000",
        "NoNewPrivs: 1",
      ]);
      links.add(said.at(-1) ?? "");
    }
    expect([...links]).toEqual([readlinkSync("/proc/self/ns/net")]);
    await client.deleteSandbox({ sandboxId });
  });

  test("have commands, files and logs of their own, by name; nothing is the primary one", async () => {
    const sandboxId = await createRunning(
      client,
      podOf([
        shell("side", "echo side says; sleep 1000", { environmentVariables: { WHO: "side" } }),
        shell("main", "echo main says; sleep 1000", { environmentVariables: { WHO: "main" } }),
      ]),
    );
    for (const [container, who] of [
      ["side", "side"],
      ["main", "main"],
      ["", "main"],
    ] as const) {
      expect(await inside(sandboxId, container, "echo $WHO")).toBe(`${who}\n`);
      const content = new TextEncoder().encode(who);
      await client.writeFile({ sandboxId, container, path: "/tmp/who", content });
      expect(await inside(sandboxId, container, "cat /tmp/who")).toBe(who);
      const file = await client.readFile({ sandboxId, container, path: "/tmp/who" });
      expect(new TextDecoder().decode(file.content)).toBe(who);
      let log = "";
      for await (const { data } of client.streamLogs({ sandboxId, container, follow: true })) {
        log += new TextDecoder().decode(data);
        if (log.includes("\n")) break;
      }
      expect(log).toBe(`${who} says\n`);
    }
    const refusal = await refusalOf(inside(sandboxId, "nobody", "true"));
    expect(refusal.code).toBe(Code.InvalidArgument);
    expect(refusal.message).toContain("side, main");
    await client.deleteSandbox({ sandboxId });
  });

  test("all end when the primary one ends, with its exit code", async () => {
    const sandboxId = await createRunning(
      client,
      podOf([
        shell("side", "setsid sleep 4815164 & sleep 4815164"),
        shell("main", "while [ ! -e /shared/go ]; do sleep 0.02; done; exit 7"),
      ]),
    );
    await eventually(() => isAlive("4815164"));
    await inside(sandboxId, "side", "touch /shared/go");
    const ended = await untilEnded(client, sandboxId);
    expect(ended.status).toMatchObject({ state: State.COMPLETED, exitCode: 7 });
    expect(statusesOf(ended)["side"]?.state).toBe(State.TERMINATED);
    expect(isAlive("4815164")).toBe(false);
  });

  test("one that is not the primary ends alone, and takes no more commands", async () => {
    const memory = { resourceRequirements: { limits: { memory: "64Mi" } } };
    const sandboxId = await createRunning(
      client,
      podOf([
        shell("brief", "exit 3"),
        shell("hog", "exec tail /dev/zero", memory),
        shell("main", "sleep 1000"),
      ]),
    );
    const over = async () => {
      const { brief, hog } = statusesOf(await client.getSandbox({ sandboxId }));
      return brief?.state !== State.RUNNING && hog?.state !== State.RUNNING;
    };
    await eventually(over);
    const statuses = statusesOf(await client.getSandbox({ sandboxId }));
    expect(statuses["brief"]).toMatchObject({ state: State.COMPLETED, exitCode: 3 });
    expect(statuses["hog"]).toMatchObject({ state: State.FAILED, exitCode: 137 });
    expect(await refusalOf(inside(sandboxId, "brief", "true"))).toMatchObject({
      code: Code.FailedPrecondition,
      reason: ErrorReason.SANDBOX_NOT_RUNNING,
    });
    expect((await run(client, sandboxId, "echo", "on")).stdout).toBe("on\n");
    await client.deleteSandbox({ sandboxId });
  });

  test("each gets SIGTERM when the sandbox is stopped with a grace", async () => {
    const wait = "while :; do sleep 0.02; done";
    const sandboxId = await createRunning(
      client,
      podOf([
        shell("side", `trap 'touch /shared/stopped; exit 0' TERM; touch /shared/side; ${wait}`),
        shell(
          "main",
          `trap 'until [ -e /shared/stopped ]; do sleep 0.02; done; exit 6' TERM; touch /shared/main; ${wait}`,
        ),
      ]),
    );
    await eventually(async () => (await inside(sandboxId, "", "ls /shared")) === "main\nside\n");
    await client.deleteSandbox({ sandboxId, gracePeriodSeconds: 20 });
    // The main one ends in order only when the other has been told, too.
    const ended = await untilEnded(client, sandboxId);
    expect(ended.status).toMatchObject({ state: State.TERMINATED, exitCode: 6 });
  });

  test("a snapshot has what all of them wrote, and begins another sandbox's volume", async () => {
    const sandboxId = await createRunning(
      client,
      podOf([shell("side", "echo side > /shared/side; sleep 1000"), shell("main", "sleep 1000")]),
    );
    await eventually(async () => (await inside(sandboxId, "", "ls /shared")) === "side\n");
    await inside(sandboxId, "main", "echo main > /shared/main");
    const { fileSystemSnapshotIds: snapshotIds } = await client.deleteSandbox({
      sandboxId,
      snapshotVolumes: ["shared"],
    });
    await untilEnded(client, sandboxId);
    const restoreFromSnapshotId = snapshotIds[0] ?? "";
    const again = await createRunning(
      client,
      podOf([shell("side", "sleep 1000"), shell("main", "sleep 1000")], {
        volumes: [
          { name: "shared", source: { case: "scratch", value: { restoreFromSnapshotId } } },
        ],
      } as SpecInit),
    );
    expect(await inside(again, "side", "cat /shared/*")).toBe("main\nside\n");
    await client.deleteSandbox({ sandboxId: again });
  });

  test("a volume in memory is its container's own, and is in a snapshot too", async () => {
    const value = { medium: StorageMedium.MEMORY, size: "4Mi" };
    const mounts = { volumeMounts: [{ volume: "memory", mountPath: "/memory" }] };
    const volumes = [{ name: "memory", source: { case: "scratch" as const, value } }];
    const containers = [
      shell("side", "sleep 1000", mounts),
      shell("main", "sleep 1000", { volumeMounts: [] }),
    ];
    const sandboxId = await createRunning(client, podOf(containers, { volumes }));
    await inside(sandboxId, "side", "echo kept > /memory/file");
    const { fileSystemSnapshotIds: snapshotIds } = await client.deleteSandbox({
      sandboxId,
      snapshotVolumes: ["memory"],
    });
    await untilEnded(client, sandboxId);
    const restored = { ...value, restoreFromSnapshotId: snapshotIds[0] ?? "" };
    const again = await createRunning(
      client,
      podOf(containers, {
        volumes: [{ name: "memory", source: { case: "scratch", value: restored } }],
      }),
    );
    expect(await inside(again, "side", "cat /memory/file")).toBe("kept\n");
    await client.deleteSandbox({ sandboxId: again });
  });
});

test("each has the root of its own image, its files, its folder and its variables", async () => {
  const image = mkdtempSync("/tmp/local-test-image-");
  chmodSync(image, 0o755);
  mkdirSync(`${image}/usr`);
  mkdirSync(`${image}/data`);
  writeFileSync(`${image}/data/name`, "of the image");
  const service = await startTestService({ engine: "bubblewrap", images: { imaged: image } });
  try {
    const { client } = service;
    const text = new TextDecoder();
    const main = {
      ...{ image: "python:3.11", workingDir: "/opt/own", environmentVariables: { WHO: "main" } },
      files: [{ path: "/etc/own/settings", content: new TextEncoder().encode("of main") }],
    };
    const sandboxId = await createRunning(
      client,
      podOf([
        shell("main", "sleep 1000", main),
        { name: "side", image: "imaged" } as ContainerInit,
      ]),
    );
    const file = await client.readFile({ sandboxId, container: "side", path: "/data/name" });
    expect(text.decode(file.content)).toBe("of the image");
    const read = (container: string, path: string) =>
      refusalOf(client.readFile({ sandboxId, container, path }));
    expect((await read("main", "/data/name")).reason).toBe(ErrorReason.FILE_NOT_FOUND);
    expect((await read("side", "/etc/own/settings")).reason).toBe(ErrorReason.FILE_NOT_FOUND);
    const script = "pwd; echo $WHO; cat /etc/own/settings";
    const { stdout } = await client.exec({ sandboxId, command: ["sh", "-c", script] });
    expect(text.decode(stdout)).toBe("/opt/own\nmain\nof main");
    await client.deleteSandbox({ sandboxId });
  } finally {
    await service.close();
    rmSync(image, { recursive: true });
  }
});

test.each(fullEngines)(
  "nothing is left of them when a service with %s is killed",
  async (engine) => {
    const service = await startTestService({ engine });
    const { client } = service;
    await createRunning(
      client,
      podOf([shell("side", "sleep 4815165"), shell("main", "sleep 1000")]),
    );
    await eventually(() => isAlive("4815165"));
    service.process.kill("SIGKILL");
    await eventually(() => !isAlive("4815165"));
    rmSync(service.folder, { recursive: true });
  },
);

test("the engine process refuses several and init containers", async () => {
  const service = await startTestService({ engine: "process" });
  try {
    const one = { name: "main", image: "python:3.11" };
    for (const spec of [
      { containers: [one, { ...one, name: "side" }], primaryContainer: "main" },
      { containers: [one], initContainers: [{ ...one, name: "init", command: "true" }] },
    ]) {
      const refusal = await refusalOf(begin(service.client, spec));
      expect(refusal).toMatchObject({
        code: Code.FailedPrecondition,
        reason: ErrorReason.NO_SUITABLE_RUNNER,
      });
      expect(refusal.message).toContain("several or init containers");
    }
  } finally {
    await service.close();
  }
});
