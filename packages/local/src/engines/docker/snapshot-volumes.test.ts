import { execFileSync } from "node:child_process";
import { basename } from "node:path";
import { SnapshotState } from "@tidybox/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  createRunning,
  eventually,
  sh,
  type SpecInit,
  startTestService,
  stateFolders,
  type TestService,
  untilEnded,
} from "../../testing/test-service.ts";
import { testDockerHost } from "../../testing/tested-engines.ts";
import { takeSnapshot, withVolumes } from "../../testing/volumes.ts";

const FILL = `
  mkdir -p a/b/c gone/deep kept/in && head -c 6000000 /dev/urandom > large && echo one > a/b/c/one
  echo two > gone/deep/two; for i in $(seq 1 20); do echo $i > kept/in/$i; done
  ln -s /etc/passwd out; ln -s a/b rel; ln -s nowhere dangling; mkfifo pipe; truncate -s 20M sparse
  echo 1 > plain; echo 2 > replaced; echo 3 > moved; echo 4 > name; ln name 'other name'
  chmod 4711 plain; chmod 1777 kept; touch -d 200102030000 old; chown 12:34 moved`;

const SHOW = `find . -mindepth 1 | sort | while read -r f; do
    if [ -d "$f" ] && [ ! -L "$f" ]; then stat -c '%n %F %a %u %g' "$f"; else stat -c '%N %F %a %u %g %h %s' "$f"; fi
  done; find . -type f | sort | while read -r f; do md5sum "$f"; done; stat -c %Y old`;

const CHANGE = `
  rm -r gone && mkdir gone && echo new > gone/new && rm kept/in/1 && mv moved a/b/renamed
  mv kept/in/2 kept/in/3 && node -e 'fs.renameSync("a", "b")' && mkdir a && echo a > a/own
  echo more >> plain && chmod 711 plain && chmod 600 large && rm replaced && mkdir replaced && echo inside > replaced/file
  rm rel && echo file > rel; ln plain hard && echo both >> hard && echo all >> name && ln -s hard soft
  chmod 750 kept/in; truncate -s 10 sparse; touch -d 200506070000 old; mkdir -p made/by && mv made here
  rm dangling && mkfifo dangling; rm pipe; chown 56:78 kept`;

describe.runIf(testDockerHost !== undefined)("a volume in Docker that shares its snapshot", () => {
  let service: TestService;
  let snapshotId: string;
  beforeAll(async () => {
    service = await startTestService({ engine: "docker" });
    snapshotId = await filledSnapshot();
  });
  afterAll(async () => {
    const [name = ""] = stateFolders(service).map((folder) => basename(folder));
    await service.close();
    const left = volumes(name);
    if (left.length > 0) throw new Error(`the service left ${left.join(", ")}`);
  });

  async function text(sandboxId: string, script: string): Promise<string> {
    const { stdout, stderr } = await sh(service.client, sandboxId, `cd /data; ${script}`);
    return stdout + stderr;
  }

  async function filledSnapshot(): Promise<string> {
    const source = await createRunning(service.client, withVolumes([{ name: "data" }]));
    const said = await text(source, FILL);
    if (said !== "") throw new Error(said);
    const id = await ready(source);
    await service.client.deleteSandbox({ sandboxId: source });
    return id;
  }

  async function ready(sandboxId: string): Promise<string> {
    const snapshot = await takeSnapshot(service.client, sandboxId);
    expect(snapshot).toMatchObject({ state: SnapshotState.READY, stateReason: "" });
    return snapshot.fileSystemSnapshotId;
  }

  const sharing = (from = snapshotId): Promise<string> =>
    createRunning(service.client, withVolumes([{ name: "data", from }]));

  /** What the service has unpacked, below which nobody writes. */
  const snapshots = (): readonly string[] =>
    stateFolders(service)
      .flatMap((folder) => volumes(`${basename(folder)}-snapshot-`))
      .filter((name) => /-snapshot-\d+$/.test(name));

  const changed = async (sandboxId: string): Promise<string> => {
    expect(await text(sandboxId, CHANGE)).toBe("");
    return text(sandboxId, SHOW);
  };

  test("looks like what it was taken of, whatever is changed in it, and so does its own snapshot", async () => {
    // A volume that never was restored: there everything is as it must be.
    const original = await createRunning(service.client, withVolumes([{ name: "data" }]));
    await text(original, FILL);
    const [first, second] = [await sharing(), await sharing()];
    expect(snapshots()).toHaveLength(1);
    expect(await text(first, "mount | grep -c ' /data type overlay'")).toBe("1\n");
    const without = (shown: string): string => shown.replace(/^[0-9a-f]{32} .*large$/m, "random");
    const before = await text(first, SHOW);
    expect(without(before)).toBe(without(await text(original, SHOW)));
    const after = await changed(first);
    expect(after).not.toBe(before);
    expect(without(after)).toBe(without(await changed(original)));
    expect(await text(first, "[ hard -ef plain ] && [ name -ef 'other name' ] && echo same")).toBe(
      "same\n",
    );
    expect(await text(second, SHOW)).toBe(before);

    const again = await sharing(await ready(first));
    expect(await text(again, SHOW)).toBe(after);
    expect(await text(again, "[ hard -ef plain ] && echo same")).toBe("same\n");
  });

  test("is one volume for all containers of a sandbox", async () => {
    const spec = withVolumes([{ name: "data", from: snapshotId }]);
    const [main] = spec.containers ?? [];
    const containers = [main, { ...(main as object), name: "second" }];
    const sandboxId = await createRunning(service.client, {
      ...spec,
      containers,
      primaryContainer: "main",
    } as SpecInit);
    await text(sandboxId, "mount | grep -q ' /data type overlay' && echo 5 > plain");
    const command = ["cat", "/data/plain"];
    const { stdout } = await service.client.exec({ sandboxId, container: "second", command });
    expect(Buffer.from(stdout).toString()).toBe("5\n");
  });

  test("outlives its snapshot, whose content goes with the last of them", async () => {
    const source = await createRunning(service.client, withVolumes([{ name: "data" }]));
    await text(source, "head -c 5000000 /dev/zero > zeroes");
    const from = await ready(source);
    const known = snapshots();
    const [first, second] = [await sharing(from), await sharing(from)];
    expect(snapshots()).toHaveLength(known.length + 1);
    await service.client.deleteFileSystemSnapshot({ fileSystemSnapshotId: from });
    await service.client.deleteSandbox({ sandboxId: first });
    await untilEnded(service.client, first);
    expect(await text(second, "stat -c %s zeroes")).toBe("5000000\n");
    await service.client.deleteSandbox({ sandboxId: second });
    await eventually(() => snapshots().length === known.length);
  });
});

function volumes(name: string): readonly string[] {
  const args = ["volume", "ls", "--quiet", "--filter", `name=${name}`];
  return execFileSync("docker", args, { encoding: "utf8" }).split("\n").filter(Boolean).toSorted();
}
