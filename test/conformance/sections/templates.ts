import { Code } from "@connectrpc/connect";
import { ErrorReason, State } from "@tidybox/protocol";
import { expect } from "vitest";
import { refusalOf, sh, until } from "../../../packages/local/src/testing/test-service.ts";
import { section } from "../contract.ts";
import { furnished } from "../furnishings.ts";
import { expectRefused } from "../refusals.ts";

const INVALID = { code: Code.InvalidArgument, reason: ErrorReason.INVALID_ARGUMENT };
const MAIN = { name: "main", image: "python:3.11" };

export const templates = section("3.16", (says) => {
  says("a sandbox of a template has the template's spec, id and revision", async (context) => {
    const { bed, tag } = await furnished(context);
    const sandbox = await bed.sandboxes.createSandboxFromTemplate({
      templateId: "whole",
      overrides: { tags: [tag] },
    });
    expect(sandbox).toMatchObject({ sourceTemplateId: "whole", sourceTemplateRevision: 1n });
    expect(sandbox.spec).toMatchObject({
      containers: [{ ...MAIN, environmentVariables: { FROM: "template", ALSO: "kept" } }],
      annotations: { owner: "template", team: "one" },
      maxLifetimeSeconds: 120,
    });
    const shown = await bed.sandboxes.getSandbox({ sandboxId: sandbox.sandboxId });
    expect(shown).toMatchObject({ sourceTemplateId: "whole", sourceTemplateRevision: 1n });
    expect(shown.spec).toEqual(sandbox.spec);
  });

  says("scalars that are set take the template's place; what is unset is kept", async (context) => {
    const { bed, tag } = await furnished(context);
    const { spec, status } = await bed.sandboxes.createSandboxFromTemplate({
      templateId: "whole",
      overrides: { tags: [tag], maxLifetimeSeconds: 60 },
    });
    expect(spec).toMatchObject({ maxLifetimeSeconds: 60, primaryContainer: "main" });
    expect(status?.effectiveMaxLifetimeSeconds).toBe(60);
  });

  says("lists and maps are replaced whole, and never merged", async (context) => {
    const { bed, tag } = await furnished(context);
    const { spec } = await bed.sandboxes.createSandboxFromTemplate({
      templateId: "whole",
      overrides: { tags: [tag], annotations: { owner: "mine" }, volumes: [{ name: "other" }] },
    });
    expect(spec?.tags).toEqual([tag]);
    expect(spec?.annotations).toEqual({ owner: "mine" });
    expect(spec?.volumes.map(({ name }) => name)).toEqual(["other"]);
  });

  says(
    "containers are one list: a container of the overrides has nothing of the template's",
    async (context) => {
      const { bed, tag } = await furnished(context);
      const { sandboxes } = bed;
      const { sandboxId, spec } = await sandboxes.createSandboxFromTemplate({
        templateId: "whole",
        overrides: {
          tags: [tag],
          containers: [{ ...MAIN, environmentVariables: { OWN: "mine" } }],
        },
      });
      expect(spec?.containers[0]?.environmentVariables).toEqual({ OWN: "mine" });
      await until(sandboxes, sandboxId, (state) => state === State.RUNNING);
      expect((await sh(sandboxes, sandboxId, "echo $OWN-$FROM")).stdout).toBe("mine-\n");
    },
  );

  says(
    "a message of the overrides takes the template's place, even an empty one",
    async (context) => {
      const { bed, tag } = await furnished(context);
      const { spec } = await bed.sandboxes.createSandboxFromTemplate({
        templateId: "whole",
        overrides: { tags: [tag], network: {} },
      });
      expect(spec?.network).toBeDefined();
      expect(spec?.network?.denyEgress).toBeUndefined();
    },
  );

  says(
    "a list that is empty cannot be told from an unset one, and keeps the template's",
    async (context) => {
      const { bed } = await furnished(context);
      const { sandboxId, spec } = await bed.sandboxes.createSandboxFromTemplate({
        templateId: "whole",
        overrides: { tags: [] },
      });
      await bed.sandboxes.deleteSandbox({ sandboxId });
      expect(spec?.tags).toEqual(["of-the-template"]);
    },
  );

  says("a sparse container is refused", async (context) => {
    const { bed } = await furnished(context);
    for (const container of [{ name: "main" }, { image: "python:3.11" }])
      await expectRefused(
        bed.sandboxes.createSandboxFromTemplate({
          templateId: "whole",
          overrides: { containers: [container] },
        }),
        { ...INVALID, field: "overrides.containers[0]" },
      );
  });

  says("arguments without a command are refused", async (context) => {
    const { bed } = await furnished(context);
    const overrides = { containers: [{ ...MAIN, args: ["-c", "true"] }] };
    await expectRefused(
      bed.sandboxes.createSandboxFromTemplate({ templateId: "whole", overrides }),
      { ...INVALID, field: "sandbox.spec.containers[0].args" },
    );
  });

  says("at least one container with an image must come of it", async (context) => {
    const { bed, tag } = await furnished(context);
    const create = (templateId: string, overrides = {}) =>
      bed.sandboxes.createSandboxFromTemplate({ templateId, overrides });
    await expectRefused(create("bare"), { ...INVALID, field: "sandbox.spec.containers" });
    await expectRefused(create("imageless"), {
      ...INVALID,
      field: "sandbox.spec.containers[0].image",
    });
    const made = await create("bare", { containers: [MAIN], tags: [tag] });
    expect(made.spec?.maxLifetimeSeconds).toBe(90);
  });

  says("what comes of it is held to the rules of every spec", async (context) => {
    const { bed } = await furnished(context);
    const overrides = { maxLifetimeSeconds: 30 * 24 * 3600 + 1 };
    await expectRefused(
      bed.sandboxes.createSandboxFromTemplate({ templateId: "whole", overrides }),
      { ...INVALID, field: "sandbox.spec.max_lifetime_seconds" },
    );
  });

  says("the same request id with the same request is the same sandbox", async (context) => {
    const { bed, tag } = await furnished(context);
    const request = { templateId: "whole", requestId: tag, overrides: { tags: [tag] } };
    const [first, second] = await Promise.all([
      bed.sandboxes.createSandboxFromTemplate(request),
      bed.sandboxes.createSandboxFromTemplate(request),
    ]);
    expect(second.sandboxId).toBe(first.sandboxId);
  });

  says(
    "(our choice) with other overrides, or as a plain create, that request id is invalid",
    async (context) => {
      const { bed, tag } = await furnished(context);
      const request = { templateId: "whole", requestId: tag, overrides: { tags: [tag] } };
      const { spec } = await bed.sandboxes.createSandboxFromTemplate(request);
      const calls = [
        bed.sandboxes.createSandboxFromTemplate({ ...request, overrides: { tags: [tag, "x"] } }),
        bed.sandboxes.createSandbox({
          requestId: tag,
          sandbox: spec === undefined ? {} : { spec },
        }),
      ];
      for (const call of calls) await expectRefused(call, { ...INVALID, field: "request_id" });
    },
  );

  says(
    "(our choice) an unknown template is NOT_FOUND, and the message says which there are",
    async (context) => {
      const { bed } = await furnished(context);
      const refusal = await refusalOf(
        bed.sandboxes.createSandboxFromTemplate({ templateId: "unknown" }),
      );
      expect(refusal).toMatchObject({
        code: Code.NotFound,
        message: expect.stringMatching(/"unknown".*whole/),
      });
    },
  );
});
