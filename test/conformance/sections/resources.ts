import { availableParallelism, totalmem } from "node:os";
import { Code } from "@connectrpc/connect";
import { ErrorReason, SandboxMode, State } from "@tidybox/protocol";
import { expect } from "vitest";
import {
  sh,
  type SpecInit,
  specOf,
  untilEnded,
} from "../../../packages/local/src/testing/test-service.ts";
import { type Exception, section } from "../contract.ts";
import { expectSpecRefused, refuses } from "../refusals.ts";
import { running, started } from "../sandboxes.ts";

type ContainerInit = NonNullable<Parameters<typeof specOf>[0]>;
type Requirements = NonNullable<ContainerInit["resourceRequirements"]>;

const INVALID = { code: Code.InvalidArgument, reason: ErrorReason.INVALID_ARGUMENT };
const CEILING = { code: Code.InvalidArgument, reason: ErrorReason.RESOURCE_CEILING_EXCEEDED };
const NO_RUNNER = { code: Code.FailedPrecondition, reason: ErrorReason.NO_SUITABLE_RUNNER };

const requiring = (requirements: Requirements): ContainerInit =>
  ({ resourceRequirements: requirements }) as ContainerInit;

const both = (side: NonNullable<Requirements["requests"]>): ContainerInit =>
  requiring({ requests: side, limits: side });

const GPU = { count: 1n, selector: { case: "type", value: "H100" } } as const;

/** A limit that does not hold is told once. */
const toldOnly = (what: string): Exception => ({
  cannot: `hold a sandbox to its limit of ${what}`,
  instead: async (context) => {
    await running(context, both({ cpu: "500m", memory: "64Mi" }));
    const told = await context.bed.service.notices();
    const messages = told
      .filter(({ code }) => code === "resources_not_enforced")
      .map(({ message }) => message);
    expect(messages.join("\n")).toContain(what);
  },
});

export const resources = section("3.13", (says) => {
  says("quantities come back in the status letter by letter", async (context) => {
    const sandboxId = await running(context, both({ cpu: "500m", memory: "64Mi" }));
    const { spec, status } = await context.bed.sandboxes.getSandbox({ sandboxId });
    const side = { cpu: "500m", memory: "64Mi" };
    expect(status?.effectiveResourceRequirements).toMatchObject({ requests: side, limits: side });
    expect(status?.effectiveResources).toMatchObject(side);
    expect(spec?.containers[0]?.resourceRequirements).toMatchObject({
      requests: side,
      limits: side,
    });
  });

  says("the older form is both: what is guaranteed and the limit", async (context) => {
    const side = { cpu: "0.5", memory: "0.0625Gi" };
    const sandboxId = await running(context, { resources: side } as ContainerInit);
    const { status } = await context.bed.sandboxes.getSandbox({ sandboxId });
    expect(status?.effectiveResources).toMatchObject(side);
    expect(status?.effectiveResourceRequirements).toMatchObject({ requests: side, limits: side });
  });

  says("an unset quantity is an empty text", async (context) => {
    const sandboxId = await running(context, both({ memory: "64Mi" }));
    const { status } = await context.bed.sandboxes.getSandbox({ sandboxId });
    const side = { cpu: "", memory: "64Mi" };
    expect(status?.effectiveResourceRequirements).toMatchObject({ requests: side, limits: side });
  });

  says("empty limits, and empty requests, are those of the other side", async (context) => {
    const side = { cpu: "500m", memory: "64Mi" };
    for (const requirements of [{ requests: side }, { limits: side }]) {
      const sandboxId = await running(context, requiring(requirements));
      const { status } = await context.bed.sandboxes.getSandbox({ sandboxId });
      expect(status?.effectiveResourceRequirements).toMatchObject({ requests: side, limits: side });
    }
  });

  says("serverless sandboxes have limits equal to their requests", async (context) => {
    const requests = { cpu: "250m", memory: "64Mi" };
    const limits = { cpu: "500m", memory: "128Mi" };
    for (const mode of [SandboxMode.UNSPECIFIED, SandboxMode.SERVERLESS]) {
      const sandboxId = await running(context, requiring({ requests, limits }), { mode });
      const { spec, status } = await context.bed.sandboxes.getSandbox({ sandboxId });
      expect(status?.effectiveResourceRequirements).toMatchObject({ requests, limits: requests });
      expect(spec?.containers[0]?.resourceRequirements?.limits).toMatchObject(limits);
    }
  });

  says(
    "the totals are those of all containers",
    async (context) => {
      const containers = ["main", "side"].map((name) => ({
        ...{ name, image: "python:3.11", command: "/bin/sh", args: ["-c", "sleep 1000"] },
        ...both({ cpu: "250m", memory: "64Mi" }),
      }));
      const spec = { containers, primaryContainer: "main", tags: [context.tag] } as SpecInit;
      const { status } = await context.bed.sandboxes.createSandbox({ sandbox: { spec } });
      const side = { cpu: "500m", memory: String(2 * 64 * 1024 * 1024) };
      expect(status?.effectiveResourceRequirements).toMatchObject({ requests: side, limits: side });
    },
    {
      unless: {
        process: {
          cannot: "have several containers in a sandbox",
          instead: (context) =>
            expectSpecRefused(
              context,
              {
                containers: ["a", "b"].map((name) => ({ name, image: "python:3.11" })),
                primaryContainer: "a",
              },
              { ...NO_RUNNER, field: "containers" },
            ),
        },
      },
    },
  );

  says(
    "a main process that takes more memory than its limit is killed, and the state says why",
    async (context) => {
      const { sandboxId } = await started(context, {
        ...both({ memory: "64Mi" }),
        ...{ command: "/bin/sh", args: ["-c", "x=x; while :; do x=$x$x; done"] },
      } as ContainerInit);
      const { status } = await untilEnded(context.bed.sandboxes, sandboxId);
      expect(status?.state).toBe(State.FAILED);
      expect(status?.stateReason).toMatch(/memory/);
    },
    { unless: { process: toldOnly("memory") } },
  );

  says(
    "a sandbox gets no more of the processor than its limit",
    async (context) => {
      const sandboxId = await running(context, both({ cpu: "100m" }));
      const { stdout } = await sh(
        context.bed.sandboxes,
        sandboxId,
        "cat /sys/fs/cgroup/cpu.max 2>/dev/null || cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us",
      );
      expect(stdout).toMatch(/^10000\b/);
    },
    {
      unless: {
        bubblewrap: toldOnly("cpu"),
        "bubblewrap-user": toldOnly("cpu"),
        process: toldOnly("cpu"),
      },
    },
  );

  says("a request above its limit is invalid", async (context) => {
    const cases = [
      ["cpu", { requests: { cpu: "2" }, limits: { cpu: "1999m" } }],
      ["memory", { requests: { memory: "1Gi" }, limits: { memory: "1G" } }],
    ] as const;
    for (const [what, requirements] of cases)
      await expectSpecRefused(context, specOf(requiring(requirements)), {
        ...INVALID,
        field: `containers[0].resource_requirements.requests.${what}`,
      });
  });

  says("what is no quantity is invalid", async (context) => {
    const wrong = [
      ["cpu", "much"],
      ["cpu", "0"],
      ["cpu", "-1"],
      ["memory", "12XB"],
      ["memory", "0"],
      ["memory", "1 Gi"],
    ] as const;
    for (const [what, text] of wrong)
      await expectSpecRefused(context, specOf(requiring({ limits: { [what]: text } })), {
        ...INVALID,
        field: `containers[0].resource_requirements.limits.${what}`,
      });
  });

  says(
    "the older form and the newer one exclude each other",
    refuses(
      { resources: { cpu: "1" }, ...both({ cpu: "1" }) } as ContainerInit,
      {},
      {
        ...INVALID,
        field: "containers[0].resources",
      },
    ),
  );

  says(
    "more than the platform has, in one container or in all, is over the ceiling",
    async (context) => {
      const cores = availableParallelism();
      for (const side of [{ cpu: String(cores + 1) }, { memory: String(totalmem() + 1) }])
        await expectSpecRefused(context, specOf(both(side)), { ...CEILING, field: "containers" });
      const containers = ["main", "side"].map((name) => ({
        ...{ name, image: "python:3.11" },
        ...both({ cpu: String(cores) }),
      }));
      const sum = { containers, primaryContainer: "main" } as SpecInit;
      await expectSpecRefused(context, sum, { ...CEILING, field: "containers" });
    },
  );

  says("(our choice) a GPU is a matter of placement: no runner here has one", async (context) => {
    const at = "containers[0].resource_requirements";
    await expectSpecRefused(context, specOf(both({ gpu: GPU })), {
      ...NO_RUNNER,
      field: `${at}.requests.gpu`,
    });
    await expectSpecRefused(context, specOf(requiring({ limits: { gpu: GPU } })), {
      ...NO_RUNNER,
      field: `${at}.limits.gpu`,
    });
    await expectSpecRefused(context, specOf({ resources: { gpu: GPU } } as ContainerInit), {
      ...NO_RUNNER,
      field: "containers[0].resources.gpu",
    });
  });
});
