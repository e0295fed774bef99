import { create } from "@bufbuild/protobuf";
import { type Client, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import {
  DEFAULT_IMAGE,
  isTerminal,
  KEEP_ALIVE_COMMAND,
  type SandboxSpec,
  SandboxService,
  SandboxSpecSchema,
  State,
} from "@tidybox/protocol";
import type { BenchService } from "./service.ts";

export type RawClient = Client<typeof SandboxService>;

const POLL_MILLISECONDS = 10;

/** The wire itself, without our client. */
export function rawClient({ connection, apiKey }: BenchService): RawClient {
  return createClient(
    SandboxService,
    createGrpcTransport({
      baseUrl: connection.baseUrl,
      interceptors: [
        (next) => (request) => {
          request.header.set("authorization", `Bearer ${apiKey}`);
          return next(request);
        },
      ],
    }),
  );
}

export interface IdleOptions {
  readonly denyEgress?: boolean;
  readonly tags?: readonly string[];
  readonly workingDirectory?: string;
}

/** What clients ask for who only want to run commands in it. */
export function idleSpec({
  denyEgress = false,
  tags = [],
  workingDirectory = "",
}: IdleOptions): SandboxSpec {
  const [command = "", ...args] = KEEP_ALIVE_COMMAND;
  const container = { name: "main", image: DEFAULT_IMAGE, command, args };
  return create(SandboxSpecSchema, {
    containers: [{ ...container, workingDir: workingDirectory }],
    network: { denyEgress },
    tags: [...tags],
  });
}

/** Looks until it is there, which the first look tells in most cases. @throws where it has ended. */
export async function createRunning(client: RawClient, spec: SandboxSpec): Promise<string> {
  const { sandboxId } = await client.createSandbox({ sandbox: { spec } });
  await until(client, sandboxId, (state) => {
    if (isTerminal(state)) throw new Error(`${sandboxId} ended in state ${state}`);
    return state === State.RUNNING;
  });
  return sandboxId;
}

/** Until it has ended; asks again only where the answer does not say so. */
export async function deleteEnded(client: RawClient, sandboxId: string): Promise<void> {
  const { sandbox } = await client.deleteSandbox({ sandboxId });
  if (!isTerminal(sandbox?.status?.state ?? State.UNSPECIFIED))
    await until(client, sandboxId, isTerminal);
}

async function until(
  client: RawClient,
  sandboxId: string,
  wanted: (state: State) => boolean,
): Promise<void> {
  for (;;) {
    const { status } = await client.getSandbox({ sandboxId });
    if (wanted(status?.state ?? State.UNSPECIFIED)) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS));
  }
}
