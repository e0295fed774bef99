import { Code, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { DiscoveryService, SandboxService, SettingsService } from "@tidybox/protocol";
import { expect } from "vitest";
import { refusalOf, sh } from "../../../packages/local/src/testing/test-service.ts";
import type { Bed } from "../beds.ts";
import { section } from "../contract.ts";
import { drained } from "../drained.ts";
import { running } from "../sandboxes.ts";

type Metadata = Readonly<Record<string, string>>;

/** Clients that send this with every call, and nothing else. */
function clientsSending({ service }: Bed, metadata: Metadata) {
  const send: Interceptor = (next) => (request) => {
    for (const [name, value] of Object.entries(metadata)) request.header.set(name, value);
    return next(request);
  };
  const transport = createGrpcTransport({ baseUrl: service.baseUrl, interceptors: [send] });
  return {
    sandboxes: createClient(SandboxService, transport),
    discovery: createClient(DiscoveryService, transport),
    settings: createClient(SettingsService, transport),
  };
}

/** One call of each RPC that there is. */
function everyCall({ sandboxes, discovery, settings }: ReturnType<typeof clientsSending>) {
  const sandboxId = "sb-none";
  const snapshot = { fileSystemSnapshotId: "fss-none" };
  return [
    () => sandboxes.createSandbox({}),
    () => sandboxes.createSandboxFromTemplate({ templateId: "none" }),
    () => sandboxes.getSandbox({ sandboxId }),
    () => sandboxes.listSandboxes({}),
    () => sandboxes.deleteSandbox({ sandboxId, allowMissing: true }),
    () => sandboxes.purgeSandboxes({ tags: ["none"], dryRun: true }),
    () => sandboxes.exec({ sandboxId, command: ["true"] }),
    () => drained(sandboxes.streamExec(one({}))),
    () => drained(sandboxes.streamLogs({ sandboxId })),
    () => sandboxes.writeFile({ sandboxId, path: "/tmp/x" }),
    () => sandboxes.readFile({ sandboxId, path: "/tmp/x" }),
    () => sandboxes.createFileSystemSnapshot({ sandboxId }),
    () => sandboxes.getFileSystemSnapshot(snapshot),
    () => sandboxes.listFileSystemSnapshots({}),
    () => sandboxes.deleteFileSystemSnapshot({ ...snapshot, allowMissing: true }),
    () => discovery.listAvailableRunners({}),
    () => discovery.getAvailableRunner({ runnerId: "none" }),
    () => settings.getFileSystemSnapshotBucketConfig({}),
    () => settings.updateFileSystemSnapshotBucketConfig({}),
  ];
}

async function* one<T>(message: T): AsyncGenerator<T> {
  yield await Promise.resolve(message);
}

/** What a W&B client of the JavaScript SDK sends, and no `authorization`. */
const wandb = (key: string): Metadata => ({
  "x-wandb-api-key": key,
  "x-cwsandbox-client-version": "0.3.0-beta.0",
  "x-wandb-sdk-version": "0.3.0-beta.0",
  "x-sandbox-integration": "js-sdk",
  "x-entity-id": "entity",
  "x-project-name": "project",
});

export const authentication = section("4", (says) => {
  says("`authorization: Bearer <key>` is what a client needs to send", async ({ bed }) => {
    const { sandboxes } = clientsSending(bed, { authorization: `Bearer ${bed.service.token}` });
    expect((await sandboxes.listSandboxes({ tags: ["none"] })).sandboxes).toEqual([]);
  });

  says("(our choice) `x-wandb-api-key: <key>` will do in its place", async ({ bed }) => {
    const { sandboxes } = clientsSending(bed, wandb(bed.service.token));
    expect((await sandboxes.listSandboxes({ tags: ["none"] })).sandboxes).toEqual([]);
    const other = clientsSending(bed, wandb(`${bed.service.token}x`));
    expect(await refusalOf(other.sandboxes.listSandboxes({}))).toMatchObject({
      code: Code.Unauthenticated,
    });
  });

  says(
    "(our choice) no credentials, or wrong ones, are UNAUTHENTICATED with every RPC",
    async ({ bed }) => {
      const { token } = bed.service;
      const wrong: readonly Metadata[] = [
        {},
        { authorization: token },
        { authorization: `Bearer ${token.slice(0, -1)}` },
        { authorization: `Bearer ${token}x` },
        { authorization: `Basic ${token}` },
        { authorization: "Bearer ", "x-wandb-api-key": token },
        { "x-wandb-api-key": "" },
      ];
      for (const metadata of wrong) {
        for (const call of everyCall(clientsSending(bed, metadata))) {
          expect(await refusalOf(call())).toMatchObject({ code: Code.Unauthenticated });
        }
      }
    },
  );

  says(
    "with the key every RPC is answered, by the service and not by the door",
    async ({ bed }) => {
      const clients = clientsSending(bed, { authorization: `Bearer ${bed.service.token}` });
      for (const call of everyCall(clients)) {
        const code = await call().then(
          () => undefined,
          (error: unknown) => refusalOf(Promise.reject(error)).then((refusal) => refusal.code),
        );
        expect([Code.Unauthenticated, Code.PermissionDenied, Code.Internal]).not.toContain(code);
        expect(code).not.toBe(Code.Unknown);
      }
    },
  );

  says("metadata that nobody knows is tolerated, on streams as well", async (context) => {
    const { bed } = context;
    const sandboxId = await running(context);
    const { sandboxes } = clientsSending(bed, {
      ...wandb("not-a-key-of-this-service"),
      authorization: `Bearer ${bed.service.token}`,
      "user-agent": "grpc-python/1.6.0",
      "x-unknown-bin": Buffer.from([0, 1, 2]).toString("base64"),
      "x-long": "x".repeat(4096),
    });
    expect((await sandboxes.getSandbox({ sandboxId })).sandboxId).toBe(sandboxId);
    expect((await sh(sandboxes, sandboxId, "echo hello")).stdout).toBe("hello\n");
    await drained(sandboxes.streamLogs({ sandboxId }));
  });
});
