import { Code } from "@connectrpc/connect";
import { State } from "@tidybox/protocol";
import { describe, expect, test } from "vitest";
import { startedServices } from "../../testing/started-services.ts";
import { refusalOf, RefusedStart, sh, until } from "../../testing/test-service.ts";

const { start } = startedServices();

describe("templates", () => {
  const templates = {
    grader: {
      containers: [{ name: "main", image: "python:3.11", environmentVariables: { A: "template" } }],
      tags: ["from-template"],
      maxLifetimeSeconds: 120,
    },
    sparse: { tags: ["no-container"] },
  };

  test("are what a sandbox is made from; what is overridden is replaced whole", async () => {
    const { client } = await start({ templates });
    const plain = await client.createSandboxFromTemplate({ templateId: "grader" });
    expect(plain).toMatchObject({ sourceTemplateId: "grader", sourceTemplateRevision: 1n });
    expect(plain.spec).toMatchObject({ tags: ["from-template"], maxLifetimeSeconds: 120 });
    const changed = await client.createSandboxFromTemplate({
      templateId: "grader",
      overrides: {
        tags: ["mine"],
        containers: [{ name: "main", image: "other", environmentVariables: { B: "override" } }],
      },
    });
    expect(changed.spec).toMatchObject({ tags: ["mine"], maxLifetimeSeconds: 120 });
    const { sandboxId } = changed;
    await until(client, sandboxId, (state) => state === State.RUNNING);
    expect((await sh(client, sandboxId, "echo $A-$B")).stdout).toBe("-override\n");
    // As it is shown later, too.
    expect(await client.getSandbox({ sandboxId })).toMatchObject({ sourceTemplateId: "grader" });
  });

  test("answer a repeated request with the first sandbox, and another one with a refusal", async () => {
    const { client } = await start({ templates });
    const request = { templateId: "grader", requestId: "once", overrides: { tags: ["one"] } };
    const first = await client.createSandboxFromTemplate(request);
    const again = await client.createSandboxFromTemplate(request);
    expect(again.sandboxId).toBe(first.sandboxId);
    const other = client.createSandboxFromTemplate({ ...request, overrides: { tags: ["two"] } });
    expect(await refusalOf(other)).toMatchObject({ code: Code.InvalidArgument });
  });

  test("are refused when unknown, sparse, or without a container in the end", async () => {
    const { client } = await start({ templates });
    expect(await refusalOf(client.createSandboxFromTemplate({ templateId: "none" }))).toMatchObject(
      { code: Code.NotFound, message: expect.stringContaining("grader, sparse") },
    );
    const sparse = { templateId: "grader", overrides: { containers: [{ name: "main" }] } };
    expect(await refusalOf(client.createSandboxFromTemplate(sparse))).toMatchObject({
      code: Code.InvalidArgument,
      message: expect.stringContaining("overrides.containers[0]"),
    });
    expect(
      await refusalOf(client.createSandboxFromTemplate({ templateId: "sparse" })),
    ).toMatchObject({ code: Code.InvalidArgument, message: expect.stringContaining("containers") });
  });

  test("that are no specs stop the start, by name", async () => {
    const outcome = await start({ templates: { bad: { contaners: [] } } }).catch((e: unknown) => e);
    expect(outcome).toBeInstanceOf(RefusedStart);
    expect(outcome).toMatchObject({
      code: "local_option_invalid",
      message: expect.stringContaining('"bad"'),
    });
  });
});
