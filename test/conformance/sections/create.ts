import { randomUUID } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { Code, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import {
  ErrorReason,
  MAX_REQUEST_ID_BYTES,
  type Sandbox,
  SandboxService,
  SandboxSpecSchema,
  State,
} from "@tidybox/protocol";
import { expect } from "vitest";
import {
  refusalOf,
  sh,
  type SpecInit,
  specOf,
  until,
  untilEnded,
} from "../../../packages/local/src/testing/test-service.ts";
import { type CaseContext, section } from "../contract.ts";
import { mainScript } from "../main-processes.ts";
import { idleService, SMALL, smallService } from "../own-service.ts";
import { running, started } from "../sandboxes.ts";

/** How often one create is sent at once. */
const COPIES = 20;

/** Creates under the case's tag with an idempotency token. */
function createAs(
  { bed, tag }: CaseContext,
  requestId: string,
  container: Parameters<typeof specOf>[0] = {},
): Promise<Sandbox> {
  const spec = create(SandboxSpecSchema, specOf(container, { tags: [tag] }));
  return bed.sandboxes.createSandbox({ sandbox: { spec }, requestId });
}

async function made({ bed, tag }: CaseContext): Promise<readonly string[]> {
  const { sandboxes } = await bed.sandboxes.listSandboxes({ tags: [tag], showTerminated: true });
  return sandboxes.map(({ sandboxId }) => sandboxId);
}

const volumes: SpecInit["volumes"] = [
  { name: "one", source: { case: "scratch", value: {} } },
  { name: "two", source: { case: "scratch", value: { size: "1Gi" } } },
];

export const creating = section("3.2", (says) => {
  says("answers at once, with an id of its own and CREATING or PENDING", async (context) => {
    // It would be RUNNING in an hour.
    await using own = await idleService(context);
    const [one, two] = [await started(own), await started(own)];
    expect(one.sandboxId).not.toBe("");
    expect(one.sandboxId).not.toBe(two.sandboxId);
    for (const { status } of [one, two])
      expect([State.CREATING, State.PENDING]).toContain(status?.state);
  });

  says("that it is ready is found by asking for it", async (context) => {
    const { sandboxes } = context.bed;
    const { sandboxId } = await started(context);
    await until(sandboxes, sandboxId, (state) => state === State.RUNNING);
    expect((await sh(sandboxes, sandboxId, "echo here")).stdout).toBe("here\n");
  });

  says("the same request with the same request_id makes one sandbox", async (context) => {
    const requestId = randomUUID();
    const variables = { A: "1", B: "2" };
    const first = await createAs(context, requestId, { environmentVariables: variables });
    // A map has no order on the wire.
    const again = await createAs(context, requestId, { environmentVariables: { B: "2", A: "1" } });
    expect(again.sandboxId).toBe(first.sandboxId);
    expect(again.spec).toEqual(first.spec);
    expect(await made(context)).toEqual([first.sandboxId]);
  });

  says("the same request_id sent many times at once makes one sandbox", async (context) => {
    const requestId = randomUUID();
    const answers = await Promise.all(
      Array.from({ length: COPIES }, () => createAs(context, requestId)),
    );
    expect(new Set(answers.map(({ sandboxId }) => sandboxId)).size).toBe(1);
    expect(await made(context)).toHaveLength(1);
  });

  says("the same request_id is the same sandbox when that has ended since", async (context) => {
    const requestId = randomUUID();
    const { sandboxId } = await createAs(context, requestId, mainScript("exit 0"));
    await untilEnded(context.bed.sandboxes, sandboxId);
    const again = await createAs(context, requestId, mainScript("exit 0"));
    expect(again).toMatchObject({ sandboxId, status: { state: State.COMPLETED } });
  });

  says("another request_id, or none, makes another sandbox", async (context) => {
    const ids = [randomUUID(), randomUUID(), "", ""];
    const answers = await Promise.all(ids.map((requestId) => createAs(context, requestId)));
    expect(new Set(answers.map(({ sandboxId }) => sandboxId)).size).toBe(ids.length);
  });

  says(
    "(our choice) the same request_id with another spec is INVALID_ARGUMENT",
    async (context) => {
      const requestId = randomUUID();
      const { sandboxId } = await createAs(context, requestId);
      expect(await refusalOf(createAs(context, requestId, { image: "other:1" }))).toMatchObject({
        code: Code.InvalidArgument,
        reason: ErrorReason.INVALID_ARGUMENT,
        message: expect.stringContaining("request_id"),
      });
      expect(await made(context)).toEqual([sandboxId]);
    },
  );

  says(
    "(our choice) of two specs sent at once with one request_id one is refused",
    async (context) => {
      const requestId = randomUUID();
      const answers = await Promise.allSettled(
        ["one:1", "two:2"].map((image) => createAs(context, requestId, { image })),
      );
      const refused = answers.flatMap((each) => (each.status === "rejected" ? [each.reason] : []));
      expect(refused).toMatchObject([{ code: Code.InvalidArgument }]);
      expect(await made(context)).toHaveLength(1);
    },
  );

  says("(our choice) a request_id has at most 128 bytes, as elsewhere", async (context) => {
    const longest = "ä".repeat(MAX_REQUEST_ID_BYTES / 2);
    const first = await createAs(context, longest);
    expect((await createAs(context, longest)).sandboxId).toBe(first.sandboxId);
    expect(await refusalOf(createAs(context, `${longest}x`))).toMatchObject({
      code: Code.InvalidArgument,
      message: expect.stringContaining("request_id"),
    });
  });

  says("a create that was refused has not used its request_id", async (context) => {
    await using own = await smallService(context);
    const { sandboxId } = await createAs(own, "");
    for (let count = 1; count < SMALL; count += 1) await createAs(own, "");
    const requestId = randomUUID();
    expect(await refusalOf(createAs(own, requestId))).toMatchObject({
      code: Code.ResourceExhausted,
    });
    expect(await refusalOf(createAs(own, requestId, { image: "" }))).toMatchObject({
      code: Code.InvalidArgument,
    });
    await own.bed.sandboxes.deleteSandbox({ sandboxId });
    const later = await createAs(own, requestId);
    expect((await createAs(own, requestId)).sandboxId).toBe(later.sandboxId);
  });

  says("one container main, the first word its command and the rest its args", async (context) => {
    const words = ["two  words", "", "$HOME", "'\"", "ä\nb", "-x"];
    const script = 'printf "%s|" "$@" > words; until [ -e go ]; do sleep 0.02; done';
    const sandboxId = await running(
      context,
      { name: "main", command: "/bin/sh", args: ["-c", script, "sh", ...words] },
      { primaryContainer: "main" },
    );
    await sh(context.bed.sandboxes, sandboxId, "until [ -s words ]; do sleep 0.02; done");
    const { stdout } = await sh(context.bed.sandboxes, sandboxId, "cat words");
    expect(stdout).toBe(words.map((word) => `${word}|`).join(""));
  });

  says("needs no resources, folder, security context or runtime class", async (context) => {
    const sandboxId = await running(context, {}, { primaryContainer: "main" });
    const { spec } = await context.bed.sandboxes.getSandbox({ sandboxId });
    const [main] = spec?.containers ?? [];
    expect(main).toMatchObject({ workingDir: "" });
    expect(main?.resources ?? main?.resourceRequirements ?? main?.securityContext).toBeUndefined();
    expect(spec?.initContainers).toEqual([]);
    expect(spec).toMatchObject({ instanceType: "", runtimeClass: "", networkIds: [] });
  });

  says("each answer carries the spec as it was sent, volumes above all", async (context) => {
    const { sandboxes } = context.bed;
    const rest = { volumes, annotations: { who: "me" }, maxLifetimeSeconds: 300 };
    const container = { environmentVariables: { A: "1" }, ...mainScript("sleep 600") };
    const sent = create(SandboxSpecSchema, specOf(container, { ...rest, tags: [context.tag] }));
    const created = await started(context, container, rest);
    const { sandboxId } = created;
    const { sandboxes: listed } = await sandboxes.listSandboxes({ tags: [context.tag] });
    const got = await sandboxes.getSandbox({ sandboxId });
    const { sandbox: deleted } = await sandboxes.deleteSandbox({ sandboxId });
    const ended = await untilEnded(sandboxes, sandboxId);
    for (const sandbox of [created, ...listed, got, deleted, ended])
      expect(sandbox?.spec).toEqual(sent);
    expect(listed).toHaveLength(1);
  });

  says("(our choice) calls that come before it runs wait for it", async (context) => {
    const { sandboxId } = await started(context);
    expect(await sh(context.bed.sandboxes, sandboxId, "echo soon")).toMatchObject({
      stdout: "soon\n",
      exitCode: 0,
    });
  });

  says("a client that gives up waiting, or goes away, leaves its sandbox be", async (context) => {
    const { service, sandboxes } = context.bed;
    const goes = new AbortController();
    const transport = createGrpcTransport({
      baseUrl: service.baseUrl,
      interceptors: [
        (next) => (request) => {
          request.header.set("authorization", `Bearer ${service.token}`);
          return next(request);
        },
      ],
    });
    const other = createClient(SandboxService, transport);
    const spec = create(SandboxSpecSchema, specOf({}, { tags: [context.tag] }));
    const { sandboxId } = await other.createSandbox({ sandbox: { spec } });
    const waiting = refusalOf(
      other.exec({ sandboxId, command: ["sleep", "600"] }, { signal: goes.signal }),
    );
    await until(sandboxes, sandboxId, (state) => state === State.RUNNING);
    goes.abort();
    expect(await waiting).toMatchObject({ code: Code.Canceled });
    expect((await sh(sandboxes, sandboxId, "echo alive")).stdout).toBe("alive\n");
  });

  says(
    "(our choice) without a spec, or without a container, it is INVALID_ARGUMENT",
    async (context) => {
      const { sandboxes } = context.bed;
      expect(await refusalOf(sandboxes.createSandbox({}))).toMatchObject({
        code: Code.InvalidArgument,
        message: expect.stringContaining("sandbox.spec"),
      });
      const spec = create(SandboxSpecSchema, { tags: [context.tag] });
      expect(await refusalOf(sandboxes.createSandbox({ sandbox: { spec } }))).toMatchObject({
        code: Code.InvalidArgument,
        message: expect.stringContaining("containers"),
      });
      expect(await made(context)).toEqual([]);
    },
  );
});
