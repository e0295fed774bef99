import { existsSync, globSync, readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SnapshotState } from "@tidybox/protocol";
import { removeLeftovers } from "../../state-folder/leftovers.ts";
import { serviceMarker } from "../../state-folder/state-folder.ts";
import { markedProcesses } from "../process/marked-processes.ts";
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
import { takeSnapshot, withVolumes } from "../../testing/volumes.ts";

/** Large enough to be shared, with something of everything that an overlay treats on its own. */
const FILL = `
  mkdir -p a/b/c gone/deep kept/in locked 'new
line' && head -c 6000000 /dev/urandom > large && echo one > a/b/c/one && echo two > gone/deep/two
  for i in $(seq 1 50); do echo $i > kept/in/$i; done
  ln -s /etc/passwd out; ln -s a/b rel; ln -s nowhere dangling; mkfifo pipe; truncate -s 20M sparse
  echo 1 > plain; echo 2 > replaced; echo 3 > moved; echo 4 > 'new
line/4'; touch -d 2001-02-03 old; chmod 4711 plain; chmod 1777 kept; chmod 711 a/b/c; echo x > locked/in
  chmod 000 locked/in locked; touch -d 2002-03-04 .; chmod 1755 .`;

/** Everything that can be said of a file, but for the times of what was just now changed. */
const SHOW = `find . -mindepth 1 \\( -type d -printf '%p %y %m\\n' \\) -o -printf '%p %y %m %n %s %l\\n' | sort
  stat -c %a .; find . -type f -perm -400 -exec cksum {} + | sort; stat -c %Y old large kept/in/7`;

const CHANGE = `
  rm -r gone && mkdir gone && echo new > gone/new && rm kept/in/1 && mv moved a/b/renamed
  mv a/b/renamed kept/in/again && mv kept/in/2 kept/in/3 && mv a b && mkdir a && echo a > a/own
  echo more >> plain && chmod 600 large && printf X | dd of=large bs=1 seek=5 conv=notrunc 2>/dev/null && touch -d 2003-04-05 large
  rm replaced && mkdir replaced && echo inside > replaced/file && rm rel && echo file > rel
  ln plain hard && echo both >> hard && ln -s hard soft && rm -r 'new
line' && chmod 700 locked && echo y >> locked/new; chmod 000 locked; chmod 750 kept/in
  truncate -s 10 sparse; touch -d 2005-06-07 old; mkdir -p made/by/me && mv made/by made/here
  rm dangling && mkfifo dangling; rm pipe; setfattr -n user.tidybox -v 1 plain 2>/dev/null; chmod 711 .`;

describe("a volume that shares its snapshot", () => {
  let service: TestService;
  let snapshotId: string;
  beforeAll(async () => {
    service = await startTestService({ engine: "bubblewrap" });
    snapshotId = await filledSnapshot();
  });
  afterAll(() => service.close());

  async function text(sandboxId: string, script: string, folder = "/data"): Promise<string> {
    const { stdout, stderr } = await sh(service.client, sandboxId, `cd ${folder}; ${script}`);
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

  /** With a second container it has its own copy. */
  function copying(from = snapshotId): Promise<string> {
    const spec = withVolumes([{ name: "data", from }]);
    const [main] = spec.containers ?? [];
    const second = { ...(main as object), name: "second" };
    return createRunning(service.client, {
      ...spec,
      containers: [main, second],
      primaryContainer: "main",
    } as SpecInit);
  }

  const isShared = async (sandboxId: string): Promise<boolean> =>
    (await text(sandboxId, "stat -f -c %T .")) === "overlayfs\n";

  const trees = (): readonly string[] =>
    stateFolders(service).flatMap((folder) => globSync(`${folder}/snapshot-trees/*`));

  test("looks like a copy, whatever is changed in it, and so does its own snapshot", async () => {
    const shared = await sharing();
    const copy = await copying();
    expect([await isShared(shared), await isShared(copy)]).toEqual([true, false]);
    const before = await text(copy, SHOW);
    expect(before.split("\n").length).toBeGreaterThan(100);
    expect(await text(shared, SHOW)).toBe(before);
    expect(await text(shared, "stat -c %Y .")).toBe(await text(copy, "stat -c %Y ."));

    expect(await text(copy, CHANGE)).toBe("");
    expect(await text(shared, CHANGE)).toBe("");
    const after = await text(copy, SHOW);
    expect(after).not.toBe(before);
    expect(await text(shared, SHOW)).toBe(after);

    for (const each of [shared, copy]) await text(each, "rm hard");
    const third = await sharing(await ready(shared));
    expect(await isShared(third)).toBe(true);
    expect(await text(third, SHOW)).toBe(await text(copy, SHOW));
  });

  test("is copied where files of the snapshot have several names", async () => {
    const shared = await sharing();
    await text(shared, "echo 1 > own; ln own 'other name'");
    const again = await sharing(await ready(shared));
    expect(await isShared(again)).toBe(false);
    expect(await text(again, SHOW)).toBe(await text(shared, SHOW));
    expect(
      await text(again, "echo 2 >> own; cat 'other name'; [ own -ef 'other name' ] && echo same"),
    ).toBe("1\n2\nsame\n");
  });

  test("gives a file of the snapshot further names, that seem to be other files", async () => {
    const shared = await sharing();
    expect(
      await text(
        shared,
        "ln plain hard && echo both >> hard && cat plain && stat -c %h plain hard",
      ),
    ).toBe("1\nboth\n2\n2\n");
    // What copies links, as tar does, goes by this.
    expect(await text(shared, "[ hard -ef plain ] || echo other")).toBe("other\n");
  });

  test("shows nobody else what is changed in it", async () => {
    const [first = "", second = ""] = await Promise.all([sharing(), sharing()]);
    const known = new Set(trees());
    const before = await text(second, SHOW);
    await text(first, CHANGE);
    expect(await text(second, SHOW)).toBe(before);
    expect(await text(await sharing(), SHOW)).toBe(before);
    expect(trees().filter((tree) => !known.has(tree))).toEqual([]);
  });

  test("is mounted where and as it is asked for", async () => {
    const spec = withVolumes(
      [
        { name: "data", path: "/deep/in", subPath: "a/b", from: snapshotId },
        { name: "inner", path: "/deep/in/c/nested/place" },
        { name: "data2", path: "/fixed", readOnly: true, from: snapshotId },
      ],
      { workingDir: "/deep/in/own/work" },
    );
    const sandboxId = await createRunning(service.client, spec);
    const said = await text(
      sandboxId,
      "cat ../../c/one; stat -c %a ../../c; find /deep -mindepth 2 | sort; touch x && ls; stat -c %a /fixed/kept; touch /fixed/x",
      ".",
    );
    expect(said.replace(/^.*touch: .*: /m, "")).toBe(
      [
        ...[
          "one",
          "711",
          "/deep/in/c",
          "/deep/in/c/nested",
          "/deep/in/c/nested/place",
          "/deep/in/c/one",
        ],
        ...["/deep/in/own", "/deep/in/own/work", "x", "1777", "Read-only file system", ""],
      ].join("\n"),
    );
  });

  test("leads to no folder of the host, and is not to be mounted or unmounted from inside", async () => {
    const sandboxId = await sharing();
    const [folder = ""] = stateFolders(service);
    expect(await text(sandboxId, "grep ' /data ' /proc/self/mountinfo")).not.toContain(folder);
    expect(await text(sandboxId, "umount . 2>&1; mount -o remount,ro . 2>&1")).toMatch(
      /must be superuser|not permitted|permission denied/i,
    );
    expect(await text(sandboxId, "unshare -Ur true 2>&1")).toMatch(/unshare failed/);
    expect(await text(sandboxId, "grep CapBnd /proc/self/status")).toBe(
      "CapBnd:\t0000000000000000\n",
    );
    expect(await isShared(sandboxId)).toBe(true);
    expect(await text(sandboxId, "ls -d /*/snapshot-trees /tmp/* 2>/dev/null")).toBe("");
    // A link of the snapshot's is followed inside, and no file call leaves the sandbox by it.
    expect(await text(sandboxId, "cat out")).not.toContain("daemon");
  });

  test("is left alone by rename(2) where the snapshot has the folder, as mv is not", async () => {
    const sandboxId = await sharing();
    const rename = (from: string, to: string): Promise<string> =>
      text(sandboxId, `perl -e 'rename("${from}", "${to}") or print "$!\\n"'`);
    expect(await rename("a", "z")).toMatch(/cross-device/);
    expect(await rename("large", "z")).toBe("");
    expect(await text(sandboxId, "mkdir -p own/x")).toBe("");
    expect(await rename("own", "other")).toBe("");
    expect(await text(sandboxId, "mv a y && cat y/b/c/one")).toBe("one\n");
  });

  test("outlives its snapshot, whose content goes with the last of them", async () => {
    const source = await createRunning(service.client, withVolumes([{ name: "data" }]));
    await text(source, "head -c 5000000 /dev/zero > zeroes");
    const from = await ready(source);
    // Trees of the tests before may go meanwhile.
    const known = new Set(trees());
    const own = (): readonly string[] => trees().filter((tree) => !known.has(tree));
    const [first = "", second = ""] = await Promise.all([sharing(from), sharing(from)]);
    expect(own()).toHaveLength(1);
    const both = layers(service).length;
    await service.client.deleteFileSystemSnapshot({ fileSystemSnapshotId: from });
    await service.client.deleteSandbox({ sandboxId: first });
    await untilEnded(service.client, first);
    // Folders go a moment later, all that nobody needs together.
    await eventually(() => layers(service).length < both);
    expect(own()).toHaveLength(1);
    expect(await text(second, "stat -c %s zeroes; cksum < zeroes")).toMatch(
      /^5000000\n\d+ 5000000\n$/,
    );
    await service.client.deleteSandbox({ sandboxId: second });
    await eventually(() => own().length === 0);
  });

  test("is whole or fails in words when the sandbox goes away under its snapshot", async () => {
    const sandboxId = await sharing();
    const begun = await service.client.createFileSystemSnapshot({ sandboxId });
    await service.client.deleteSandbox({ sandboxId });
    await untilEnded(service.client, sandboxId);
    const id = begun.fileSystemSnapshotId;
    await eventually(
      async () =>
        (await service.client.getFileSystemSnapshot({ fileSystemSnapshotId: id })).state !==
        SnapshotState.CREATING,
    );
    const { state, stateReason } = await service.client.getFileSystemSnapshot({
      fileSystemSnapshotId: id,
    });
    if (state === SnapshotState.FAILED) expect(stateReason).toMatch(/ended|tar/);
    else expect(state).toBe(SnapshotState.READY);
  });
});

function layers({ folder }: TestService): readonly string[] {
  return globSync(`${folder}/*/sandboxes/*/layers`);
}

test("leaves no folder and no mount, when its sandbox ends or its service is killed", async () => {
  const service = await startTestService({ engine: "bubblewrap" });
  const { client } = service;
  const source = await createRunning(client, withVolumes([{ name: "data" }]));
  await sh(client, source, "mkdir /data/d; head -c 5000000 /dev/urandom > /data/d/x");
  const { fileSystemSnapshotId: from } = await takeSnapshot(client, source);
  const one = await createRunning(client, withVolumes([{ name: "data", from }]));
  const two = await createRunning(client, withVolumes([{ name: "data", from }]));
  for (const each of [one, two]) await sh(client, each, "cd /data; rm -r d; mkdir d; touch d/y");
  expect(layers(service)).toHaveLength(2);
  await client.deleteSandbox({ sandboxId: one });
  await eventually(() => layers(service).length === 1);

  const marker = serviceMarker(stateFolders(service)[0] ?? "");
  expect(markedProcesses(marker)).not.toEqual([]);
  service.process.kill("SIGKILL");
  await eventually(() => service.process.signalCode !== null);
  const before = process.env["TMPDIR"];
  try {
    process.env["TMPDIR"] = service.folder;
    await eventually(async () => {
      await removeLeftovers(() => {});
      return readdirSync(service.folder).length === 0;
    });
  } finally {
    if (before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = before;
  }
  // Mounts live as long as a process that sees them.
  expect(markedProcesses(marker)).toEqual([]);
  await expect(service.close()).rejects.toThrow(/SIGKILL/);
  expect(existsSync(service.folder)).toBe(false);
});

/** The temp folder is on an overlay itself, as in most containers: there can be none on top of it. */
const ON_AN_OVERLAY = [
  ...["/usr/bin/unshare", "--mount", "--", "/bin/sh", "-c"],
  `mount -t tmpfs none /mnt && mkdir -m 1777 /mnt/upper && mkdir /mnt/lower /mnt/work &&
    mount -t overlay -o lowerdir=/mnt/lower,upperdir=/mnt/upper,workdir=/mnt/work none "$TMPDIR" &&
    exec "$@"`,
  "sh",
];

test.runIf(process.getuid?.() === 0)("is a copy where there are no overlays", async () => {
  const service = await startTestService({ engine: "bubblewrap" }, ON_AN_OVERLAY);
  try {
    const { client } = service;
    const source = await createRunning(client, withVolumes([{ name: "data" }]));
    await sh(client, source, "head -c 5000000 /dev/zero > /data/x");
    const { fileSystemSnapshotId: from } = await takeSnapshot(client, source);
    const restored = await createRunning(client, withVolumes([{ name: "data", from }]));
    const { stdout } = await sh(client, restored, "stat -c %s /data/x; cat /proc/self/mountinfo");
    expect(stdout).toMatch(/^5000000\n/);
    expect(stdout).not.toContain("userxattr");
  } finally {
    await service.close();
  }
});
