import { Code } from "@connectrpc/connect";
import { ErrorReason, ObjectStoragePermission, SandboxMode } from "@tidybox/protocol";
import { expect } from "vitest";
import { type SpecInit, specOf } from "../../../packages/local/src/testing/test-service.ts";
import { type CaseBody, section } from "../contract.ts";
import { expectSpecRefused } from "../refusals.ts";
import { running } from "../sandboxes.ts";
import { mounting } from "../volumes.ts";

type ContainerInit = NonNullable<Parameters<typeof specOf>[0]>;

const INVALID = { code: Code.InvalidArgument, reason: ErrorReason.INVALID_ARGUMENT };
const THIRTY_DAYS = 30 * 24 * 3600;

/** Each of these specs is invalid in that field. */
const invalid =
  (...cases: readonly (readonly [field: string, spec: SpecInit])[]): CaseBody =>
  async (context) => {
    for (const [field, spec] of cases)
      await expectSpecRefused(context, spec, { ...INVALID, field });
  };

const mountedAt = (path: string, container: ContainerInit = {}): SpecInit =>
  specOf(...mounting([{ name: "data", path }], container));

const MOUNT_PATH = "containers[0].volume_mounts[0].mount_path";

export const specLimits = section("6.1", (says) => {
  says(
    "(our choice) tags follow the rule of the JS SDK: they may begin with punctuation and have 59 characters",
    async (context) => {
      const tags = ["._-a", "x".repeat(59), "UPPER.lower_1-2"];
      const sandboxId = await running(context, {}, { tags });
      const { sandboxes } = context.bed;
      for (const tag of tags) {
        const listed = await sandboxes.listSandboxes({ tags: [tag, context.tag] });
        expect(listed.sandboxes.map((each) => each.sandboxId)).toEqual([sandboxId]);
      }
    },
  );

  says(
    "(our choice) other tags are invalid, and so is one that stands there twice",
    invalid(
      ["tags[0]", specOf({}, { tags: [""] })],
      ["tags[1]", specOf({}, { tags: ["ok", "x".repeat(60)] })],
      ["tags[0]", specOf({}, { tags: ["ends-"] })],
      ["tags[0]", specOf({}, { tags: ["a b"] })],
      ["tags[0]", specOf({}, { tags: ["línea"] })],
      ["tags[0]", specOf({}, { tags: ["line\n"] })],
      ["tags", specOf({}, { tags: ["twice", "twice"] })],
    ),
  );

  says("annotations come back as they were sent, up to 100 of them", async (context) => {
    const entries = Array.from({ length: 100 }, (_, index) => [
      `example.com/${index}`,
      `ü ${index}`,
    ]);
    const annotations = Object.fromEntries(entries) as Record<string, string>;
    const sandboxId = await running(context, {}, { annotations });
    const { spec } = await context.bed.sandboxes.getSandbox({ sandboxId });
    expect(spec?.annotations).toEqual(annotations);
    await invalid(
      ["annotations", specOf({}, { annotations: { ...annotations, more: "x" } })],
      ["annotations", specOf({}, { annotations: { "": "x" } })],
    )(context);
  });

  says("a lifetime of 0 is the platform's default, which the status tells", async (context) => {
    const sandboxId = await running(context);
    const { spec, status } = await context.bed.sandboxes.getSandbox({ sandboxId });
    expect(spec?.maxLifetimeSeconds).toBe(0);
    expect(status?.effectiveMaxLifetimeSeconds).toBeGreaterThan(0);
  });

  says(
    "a lifetime of 30 days is applied, and a longer one refused, never shortened",
    async (context) => {
      const sandboxId = await running(context, {}, { maxLifetimeSeconds: THIRTY_DAYS });
      const { status } = await context.bed.sandboxes.getSandbox({ sandboxId });
      expect(status?.effectiveMaxLifetimeSeconds).toBe(THIRTY_DAYS);
      await invalid(
        ["max_lifetime_seconds", specOf({}, { maxLifetimeSeconds: THIRTY_DAYS + 1 })],
        ["max_lifetime_seconds", specOf({}, { maxLifetimeSeconds: -1 })],
      )(context);
    },
  );

  says(
    "names of containers are unique in the sandbox, init containers included, and not empty",
    invalid(
      [
        "containers",
        {
          containers: ["main", "main"].map((name) => ({ name, image: "python:3.11" })),
          primaryContainer: "main",
        },
      ],
      [
        "containers",
        specOf({}, { initContainers: [{ name: "main", image: "python:3.11", command: "true" }] }),
      ],
      ["containers[0].name", specOf({ name: "" })],
    ),
  );

  says(
    "(our choice) a command has no NUL, and arguments need a command",
    invalid(
      ["containers[0].command", specOf({ command: "a\0b" })],
      ["containers[0].command", specOf({ command: "sh", args: ["a\0b"] })],
      ["containers[0].args", specOf({ args: ["-c", "true"] })],
    ),
  );

  says(
    "names of volumes are unique, 1 to 63 of letters, digits, `_` and `-`",
    invalid(
      ...["", "a b", "a.b", "ä", "x".repeat(64)].map(
        (name) => ["volumes[0].name", specOf({}, { volumes: [{ name }] })] as const,
      ),
      ["volumes", specOf({}, { volumes: [{ name: "a" }, { name: "a" }] })],
    ),
  );

  says(
    "mount paths are absolute and normalized, not `/`, and of at most 256 characters",
    invalid(
      ...["data", "", "/", "/data/", "/a//b", "/a/./b", "/a/../b", `/${"x".repeat(256)}`].map(
        (path) => [MOUNT_PATH, mountedAt(path)] as const,
      ),
    ),
  );

  says(
    "nothing is mounted at or below the system's folders and those of credentials",
    invalid(
      ...["/proc", "/sys", "/dev", "/etc", "/var/run/secrets", "/shared/credentials"].flatMap(
        (path) => [
          [MOUNT_PATH, mountedAt(path)] as const,
          [MOUNT_PATH, mountedAt(`${path}/below`)] as const,
        ],
      ),
    ),
  );

  says(
    "mount paths are unique in a container, and overlap no file of it",
    invalid(
      [
        "containers[0].volume_mounts[1].mount_path",
        specOf(
          ...mounting([
            { name: "a", path: "/data" },
            { name: "b", path: "/data" },
          ]),
        ),
      ],
      ...["/data", "/data/below", "/da"].map(
        (path) =>
          [
            MOUNT_PATH,
            mountedAt(path === "/da" ? "/data" : path, {
              files: [{ path: path === "/da" ? "/data/file" : "/data", content: new Uint8Array() }],
            } as ContainerInit),
          ] as const,
      ),
    ),
  );

  says(
    "a mount names a volume of the sandbox",
    invalid([
      "containers[0].volume_mounts[0].volume",
      specOf({ volumeMounts: [{ volume: "none", mountPath: "/data" }] } as ContainerInit),
    ]),
  );

  says("files have absolute and unique paths with a file name", async (context) => {
    const content = new Uint8Array();
    for (const path of ["file", "", "/", "/folder/", "/a/..", "/a/../b", "/."])
      await invalid([
        "containers[0].files[0].path",
        specOf({ files: [{ path, content }] } as ContainerInit),
      ])(context);
    const twice = { path: "/workspace/a", content };
    await invalid([
      "containers[0].files[1].path",
      specOf({ files: [twice, twice] } as ContainerInit),
    ])(context);
  });

  says(
    "ports are unique, and from 1 to 65535",
    invalid(
      ["services[0].port", specOf({}, { services: [{ port: 0 }] })],
      ["services[0].port", specOf({}, { services: [{ port: 65_536 }] })],
      ["services[0].port", specOf({}, { services: [{ port: -1 }] })],
      ["services", specOf({}, { services: [{ port: 80 }, { port: 80 }] })],
    ),
  );

  const grant = (access: NonNullable<SpecInit["objectStorageAccess"]>): SpecInit =>
    specOf(
      {},
      {
        objectStorageAccess: {
          ...{ buckets: ["data"], permission: ObjectStoragePermission.READ },
          ...(access as object),
        },
      },
    );
  says(
    "buckets of a grant are named, and unique, with a permission",
    invalid(
      ["object_storage_access.buckets", grant({ buckets: [] })],
      ["object_storage_access.buckets", grant({ buckets: ["a", ""] })],
      ["object_storage_access.buckets", grant({ buckets: ["a", "a"] })],
      [
        "object_storage_access.permission",
        grant({ permission: ObjectStoragePermission.UNSPECIFIED }),
      ],
      ["object_storage_access.permission", grant({ permission: 9 as ObjectStoragePermission })],
    ),
  );
  says(
    "the prefix of a grant begins with a letter or digit, ends with `/`, and goes nowhere else",
    invalid(
      ...["/a/", "a", "a/../b/", "a//b/", "ä/", "a b/", `${"x".repeat(512)}/`].map(
        (objectPrefix) => ["object_storage_access.object_prefix", grant({ objectPrefix })] as const,
      ),
    ),
  );

  const pinned = (runnerIds: string[]): SpecInit =>
    specOf({}, { mode: SandboxMode.CKS, runnerIds });
  says(
    "runner ids are not blank and unique, at most 100 and 64 KiB in all",
    invalid(
      ["runner_ids", pinned([" "])],
      ["runner_ids", pinned(["a", "a"])],
      ["runner_ids", pinned(Array.from({ length: 101 }, (_, index) => `runner-${index}`))],
      ["runner_ids", pinned(["x".repeat(64 * 1024), "y"])],
    ),
  );

  says("several things that are wrong are told in one answer", async (context) => {
    const spec = specOf({ workingDir: "relative", image: " " }, { maxLifetimeSeconds: -1 });
    for (const field of [
      "containers[0].working_dir",
      "containers[0].image",
      "max_lifetime_seconds",
    ])
      await invalid([field, spec])(context);
  });
});
