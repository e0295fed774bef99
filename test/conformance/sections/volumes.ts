import { Code } from "@connectrpc/connect";
import { ErrorReason, StorageMedium } from "@tidybox/protocol";
import { expect } from "vitest";
import { sh, specOf, untilEnded } from "../../../packages/local/src/testing/test-service.ts";
import { type CaseContext, type Exception, section, type SentenceOptions } from "../contract.ts";
import { furnished, READ_ONLY_VOLUME, SHARED_VOLUME } from "../furnishings.ts";
import { expectReason, expectSpecRefused, refuses } from "../refusals.ts";
import { running } from "../sandboxes.ts";
import { mounting, NO_VOLUMES } from "../volumes.ts";

const INVALID = { code: Code.InvalidArgument, reason: ErrorReason.INVALID_ARGUMENT };
const NOT_IMPLEMENTED = { code: Code.Unimplemented, reason: ErrorReason.NOT_IMPLEMENTED };
const { MEMORY, DISK } = StorageMedium;

const UNLESS: SentenceOptions = { unless: { process: NO_VOLUMES } };

const NO_SUB_PATHS: Exception = {
  cannot: "mount a part of a volume",
  instead: refuses(...mounting([{ name: "data", subPath: "inner" }]), {
    ...{ code: Code.FailedPrecondition, reason: ErrorReason.NO_SUITABLE_RUNNER },
    field: "containers[0].volume_mounts",
  }),
};

const NO_REGISTERED_VOLUMES: Exception = {
  cannot: "mount registered volumes",
  instead: async (context) =>
    expectSpecRefused(
      await furnished(context),
      specOf(...mounting([{ name: "data", volumeId: SHARED_VOLUME }])),
      { ...NOT_IMPLEMENTED, field: "volumes" },
    ),
};
const REGISTERED: SentenceOptions = {
  unless: { process: NO_VOLUMES, docker: NO_REGISTERED_VOLUMES },
};

async function says(context: CaseContext, sandboxId: string, script: string): Promise<string> {
  return (await sh(context.bed.sandboxes, sandboxId, script)).stdout;
}

export const volumes = section("2.4", (sentence) => {
  sentence(
    "a read-only mount cannot be written, another mount of the same volume can",
    async (context) => {
      const data = { name: "data" };
      const sandboxId = await running(
        context,
        {
          volumeMounts: [
            { volume: "data", mountPath: "/data" },
            { volume: "data", mountPath: "/frozen", readOnly: true },
          ],
        },
        mounting([data])[1],
      );
      const script = "echo x > /data/file; echo y 2>/dev/null > /frozen/file; cat /frozen/file";
      expect(await says(context, sandboxId, script)).toBe("x\n");
    },
    UNLESS,
  );

  sentence(
    "a sub path is a folder within the volume, made where it is not there",
    async (context) => {
      const sandboxId = await running(
        context,
        {
          volumeMounts: [
            { volume: "data", mountPath: "/data" },
            { volume: "data", mountPath: "/inner", subPath: "a/b" },
          ],
        },
        mounting([{ name: "data" }])[1],
      );
      const script = "echo x > /inner/file; cat /data/a/b/file";
      expect(await says(context, sandboxId, script)).toBe("x\n");
    },
    { unless: { process: NO_VOLUMES, docker: NO_SUB_PATHS } },
  );

  sentence("a sub path is relative, without `.` or `..`", async (context) => {
    for (const subPath of ["/a", "..", "a/../b", "./a", "a/", "a//b"])
      await expectSpecRefused(context, specOf(...mounting([{ name: "data", subPath }])), {
        ...INVALID,
        field: "containers[0].volume_mounts[0].sub_path",
      });
  });

  const inMemory = (size: string) => [{ name: "data", scratch: { medium: MEMORY, size } }];

  sentence(
    "a volume in memory is held to its size",
    async (context) => {
      const sandboxId = await running(context, ...mounting(inMemory("4Mi")));
      const script = "head -c 8000000 /dev/zero 2>/dev/null > /data/file; wc -c < /data/file";
      const written = Number(await says(context, sandboxId, script));
      expect(written).toBeGreaterThan(0);
      expect(written).toBeLessThanOrEqual(4 * 1024 * 1024);
    },
    UNLESS,
  );

  sentence(
    "its size can be a share of the memory request",
    async (context) => {
      const requests = { memory: "64Mi" };
      const sandboxId = await running(
        context,
        ...mounting(inMemory("25%"), { resourceRequirements: { requests } }),
      );
      const script = "df -k /data | tail -n 1 | awk '{ print $2 }'";
      expect(Number(await says(context, sandboxId, script))).toBe(16 * 1024);
    },
    UNLESS,
  );

  sentence(
    "a share goes from 1% to 100%, of a volume in memory, and of a request that is there",
    async (context) => {
      const field = "volumes[0].scratch.size";
      const requests = { resourceRequirements: { requests: { memory: "64Mi" } } };
      for (const size of ["0%", "101%", "1.5%", "-1%", "%"])
        await expectSpecRefused(context, specOf(...mounting(inMemory(size), requests)), {
          ...INVALID,
          field,
        });
      const onDisk = [{ name: "data", scratch: { medium: DISK, size: "50%" } }];
      await expectSpecRefused(context, specOf(...mounting(onDisk, requests)), {
        ...INVALID,
        field,
      });
      await expectSpecRefused(context, specOf(...mounting(inMemory("50%"))), { ...INVALID, field });
    },
  );

  sentence(
    "a volume in memory needs a size",
    refuses(...mounting(inMemory("")), { ...INVALID, field: "volumes[0].scratch.size" }),
  );

  sentence("what is no size is invalid, and so is an unknown medium", async (context) => {
    for (const size of ["much", "0", "-1Gi", "1GiB", "1 Gi"])
      await expectSpecRefused(context, specOf(...mounting([{ name: "data", scratch: { size } }])), {
        ...INVALID,
        field: "volumes[0].scratch.size",
      });
    const medium = 9 as StorageMedium;
    await expectSpecRefused(context, specOf(...mounting([{ name: "data", scratch: { medium } }])), {
      ...INVALID,
      field: "volumes[0].scratch.medium",
    });
  });

  sentence(
    "(our choice) the size of a volume on disk is accepted, not enforced, and people are told so",
    async (context) => {
      const sized = [{ name: "data", scratch: { size: "1Mi", medium: DISK } }];
      const sandboxId = await running(context, ...mounting(sized));
      const script = "head -c 2000000 /dev/zero > /data/file; wc -c < /data/file";
      expect(Number(await says(context, sandboxId, script))).toBe(2_000_000);
      const told = (await context.bed.service.notices()).map(({ code }) => code);
      expect(told).toContain("volume_size_not_enforced");
    },
    UNLESS,
  );

  sentence(
    "a volume is gone with its sandbox: another one of the same name is empty",
    async (context) => {
      const first = await running(context, ...mounting([{ name: "data" }]));
      await says(context, first, "echo x > /data/file");
      await context.bed.sandboxes.deleteSandbox({ sandboxId: first });
      await untilEnded(context.bed.sandboxes, first);
      const second = await running(context, ...mounting([{ name: "data" }]));
      expect(await says(context, second, "ls -A /data")).toBe("");
    },
    UNLESS,
  );

  sentence(
    "(our choice) volumes in memory are mounted whole, once and writable",
    async (context) => {
      const at = "containers[0].volume_mounts[0]";
      const [memory] = inMemory("4Mi");
      const refused = [
        ["sub_path", { ...memory, name: "data", subPath: "inner" }],
        ["read_only", { ...memory, name: "data", readOnly: true }],
      ] as const;
      for (const [field, volume] of refused)
        await expectSpecRefused(context, specOf(...mounting([volume])), {
          ...NOT_IMPLEMENTED,
          field: `${at}.${field}`,
        });
    },
  );

  const shared = (path: string, more: object = {}) =>
    mounting([{ name: "data", volumeId: SHARED_VOLUME, path, ...more }]);

  sentence(
    "a registered volume is mounted live in several sandboxes, and its id is in their status",
    async (context) => {
      const on = await furnished(context);
      const one = await running(on, ...shared("/data"));
      const two = await running(on, ...shared("/other", { readOnly: true }));
      await says(on, one, `echo ${context.tag} > /data/${context.tag}`);
      const script = `cat /other/${context.tag}; echo y 2>/dev/null > /other/${context.tag} && echo written`;
      expect(await says(on, two, script)).toBe(`${context.tag}\n`);
      const { status } = await on.bed.sandboxes.getSandbox({ sandboxId: two });
      expect(status?.attachedVolumeIds).toEqual([SHARED_VOLUME]);
      const listed = await on.bed.sandboxes.listSandboxes({
        tags: [context.tag],
        volumeIds: [SHARED_VOLUME, "unknown"],
      });
      expect(listed.sandboxes.map((each) => each.sandboxId)).toEqual([one, two]);
    },
    REGISTERED,
  );

  sentence(
    "a registered volume outlives its sandboxes",
    async (context) => {
      const on = await furnished(context);
      const one = await running(on, ...shared("/data"));
      await says(on, one, `echo kept > /data/${context.tag}`);
      await on.bed.sandboxes.deleteSandbox({ sandboxId: one });
      await untilEnded(on.bed.sandboxes, one);
      const two = await running(on, ...shared("/data"));
      expect(await says(on, two, `cat /data/${context.tag}`)).toBe("kept\n");
    },
    REGISTERED,
  );

  sentence(
    "one that is registered as read-only is never written",
    async (context) => {
      const on = await furnished(context);
      const frozen = [{ name: "data", volumeId: READ_ONLY_VOLUME }];
      const sandboxId = await running(on, ...mounting(frozen));
      const script = "echo x 2>/dev/null > /data/file && echo written; ls -A /data";
      expect(await says(on, sandboxId, script)).toBe("");
    },
    REGISTERED,
  );

  sentence(
    "a registered volume is never snapshotted",
    async (context) => {
      const on = await furnished(context);
      const sandboxId = await running(on, ...shared("/data"));
      const { sandboxes } = on.bed;
      for (const call of [
        sandboxes.createFileSystemSnapshot({ sandboxId, scratchVolumeName: "data" }),
        sandboxes.deleteSandbox({ sandboxId, snapshotVolumes: ["data"] }),
      ])
        await expectReason(call, Code.FailedPrecondition, ErrorReason.VOLUME_NOT_SNAPSHOTTABLE);
    },
    REGISTERED,
  );

  sentence("a volume id that nobody has registered is invalid", async (context) => {
    const unknown = specOf(...mounting([{ name: "data", volumeId: "unknown" }]));
    const refused = { ...INVALID, field: "volumes[0].volume_id" };
    await expectSpecRefused(context, unknown, refused);
    await expectSpecRefused(await furnished(context), unknown, refused);
  });

  sentence("(our choice) a registered volume is mounted whole", async (context) => {
    await expectSpecRefused(
      await furnished(context),
      specOf(...shared("/data", { subPath: "inner" })),
      { ...NOT_IMPLEMENTED, field: "containers[0].volume_mounts[0].sub_path" },
    );
  });
});
