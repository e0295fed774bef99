import { Code } from "@connectrpc/connect";
import { ErrorReason, RetryInfoSchema, SandboxMode } from "@tidybox/protocol";
import { expect } from "vitest";
import { refusalOf, specOf } from "../../../packages/local/src/testing/test-service.ts";
import { section } from "../contract.ts";
import { expectSpecRefused, refuses } from "../refusals.ts";
import { running } from "../sandboxes.ts";

const INVALID = { code: Code.InvalidArgument, reason: ErrorReason.INVALID_ARGUMENT };
const NO_RUNNER = { code: Code.FailedPrecondition, reason: ErrorReason.NO_SUITABLE_RUNNER };
const { CKS, SERVERLESS } = SandboxMode;

export const placement = section("3.15", (says) => {
  says("an unset mode is as good as SERVERLESS", async (context) => {
    for (const mode of [SandboxMode.UNSPECIFIED, SERVERLESS]) {
      const sandboxId = await running(context, {}, { mode });
      const { spec, status } = await context.bed.sandboxes.getSandbox({ sandboxId });
      expect(spec?.mode).toBe(mode);
      expect(status?.runnerId).not.toBe("");
    }
  });

  says("runner ids need the mode CKS: serverless ones are invalid", async (context) => {
    for (const mode of [SandboxMode.UNSPECIFIED, SERVERLESS])
      await expectSpecRefused(context, specOf({}, { mode, runnerIds: ["runner-1"] }), {
        ...INVALID,
        field: "runner_ids",
      });
  });

  says(
    "where no named runner is eligible, the runner is unavailable, and a retry suggested",
    async (context) => {
      const rest = { mode: CKS, runnerIds: ["runner-1", "runner-2"] };
      await expectSpecRefused(context, specOf({}, rest), {
        code: Code.Unavailable,
        reason: ErrorReason.RUNNER_UNAVAILABLE,
        field: "runner_ids",
      });
      const { error } = await refusalOf(
        context.bed.sandboxes.createSandbox({ sandbox: { spec: specOf({}, rest) } }),
      );
      expect(error.findDetails(RetryInfoSchema)[0]?.retryDelay?.seconds).toBeGreaterThan(0n);
    },
  );

  says("a sandbox that is pinned to a runner of discovery runs there", async (context) => {
    const { discovery, sandboxes } = context.bed;
    const { runners } = await discovery.listAvailableRunners({ pageSize: 100 });
    const runnerIds = ["another", runners[0]?.runnerId ?? ""];
    const sandboxId = await running(context, {}, { mode: CKS, runnerIds });
    const { spec, status } = await sandboxes.getSandbox({ sandboxId });
    expect(status?.runnerId).toBe(runnerIds[1]);
    expect(spec?.runnerIds).toEqual(runnerIds);
    const listed = await sandboxes.listSandboxes({
      tags: [context.tag],
      runnerIds: [runnerIds[1] ?? ""],
    });
    expect(listed.sandboxes.map((each) => each.sandboxId)).toEqual([sandboxId]);
  });

  says("pinned to a runner, a sandbox may use more than it requests", async (context) => {
    const { runners } = await context.bed.discovery.listAvailableRunners({});
    const requests = { cpu: "250m", memory: "64Mi" };
    const limits = { cpu: "500m", memory: "128Mi" };
    const sandboxId = await running(
      context,
      { resourceRequirements: { requests, limits } },
      { mode: CKS, runnerIds: [runners[0]?.runnerId ?? ""] },
    );
    const { status } = await context.bed.sandboxes.getSandbox({ sandboxId });
    expect(status?.effectiveResourceRequirements).toMatchObject({ requests, limits });
  });

  says(
    "(our choice) mode CKS without a pin has no suitable runner here, by which clients go to the other mode",
    refuses({}, { mode: CKS }, { ...NO_RUNNER, field: "mode" }),
  );

  says(
    "a client that goes to the other mode creates once more, with a new request id and without pins",
    async (context) => {
      const { sandboxes } = context.bed;
      const create = (requestId: string, mode: SandboxMode) => {
        const spec = specOf({}, { mode, tags: [context.tag] });
        return sandboxes.createSandbox({ sandbox: { spec }, requestId });
      };
      const refusal = await refusalOf(create(`${context.tag}-1`, CKS));
      expect(refusal.reason).toBe(ErrorReason.NO_SUITABLE_RUNNER);
      const sandbox = await create(`${context.tag}-2`, SERVERLESS);
      expect(sandbox.sandboxId).not.toBe("");
      // What was refused is not remembered under its request id.
      const again = await create(`${context.tag}-1`, SERVERLESS);
      expect(again.sandboxId).not.toBe(sandbox.sandboxId);
    },
  );

  says(
    "an instance type is a pin to a kind of machine that is not there",
    refuses({}, { instanceType: "gd-8xh100ib-i128" }, { ...NO_RUNNER, field: "instance_type" }),
  );

  says(
    "a mode that nobody knows is invalid",
    refuses({}, { mode: 9 as SandboxMode }, { ...INVALID, field: "mode" }),
  );
});
