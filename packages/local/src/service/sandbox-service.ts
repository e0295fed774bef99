import { create } from "@bufbuild/protobuf";
import { Code, type ServiceImpl } from "@connectrpc/connect";
import {
  DeleteSandboxResponseSchema,
  ErrorReason,
  PurgeSandboxesResponseSchema,
  type SandboxService,
} from "@tidybox/protocol";
import { LocalServiceError } from "../error.ts";
import { SandboxUnreachableError } from "../engines/sandbox-unreachable-error.ts";
import { exec } from "./exec.ts";
import { failure } from "./failures.ts";
import { readFile, writeFile } from "./files.ts";
import { listSandboxes } from "./list-sandboxes.ts";
import { LogSessions } from "./logs/log-sessions.ts";
import { streamLogs } from "./logs/stream-logs.ts";
import { purgeSandboxes } from "./purge-sandboxes.ts";
import { snapshotCalls } from "./snapshots/snapshot-calls.ts";
import type { Sandboxes } from "./sandboxes.ts";
import { streamExec } from "./stream-exec.ts";

/** The RPCs of `coreweave.sandbox.v1.SandboxService` over the sandboxes of this machine. */
export function sandboxService(sandboxes: Sandboxes): ServiceImpl<typeof SandboxService> {
  const logSessions = new LogSessions();
  return {
    createSandbox: (request) => sandboxes.create(request).view(),
    getSandbox: async ({ sandboxId }) => (await sandboxes.look(sandboxId)).view(),
    listSandboxes: (request) => listSandboxes(sandboxes.registry, request),
    deleteSandbox: async (request) => {
      const { record, snapshotIds } = await sandboxes.deletions.delete(request);
      return create(DeleteSandboxResponseSchema, {
        ...(record && { sandbox: record.view() }),
        fileSystemSnapshotIds: [...snapshotIds],
      });
    },
    purgeSandboxes: async (request, context) => {
      const { registry } = sandboxes;
      const { count, failed, retryable } = await purgeSandboxes(
        registry,
        request,
        context.timeoutMs(),
      );
      return create(PurgeSandboxesResponseSchema, {
        purgeCount: count,
        failedSandboxIds: [...failed],
        retryableFailedSandboxIds: [...retryable],
      });
    },
    exec: (request, context) => translated(() => exec(sandboxes, request, context)),
    async *streamExec(requests, context) {
      try {
        yield* streamExec(sandboxes, requests, context);
      } catch (error) {
        throw asConnectError(error);
      }
    },
    readFile: (request, context) => translated(() => readFile(sandboxes, request, context)),
    writeFile: (request, context) => translated(() => writeFile(sandboxes, request, context)),
    createSandboxFromTemplate: (request) => sandboxes.createFromTemplate(request).view(),
    streamLogs: (request, context) => streamLogs(sandboxes, logSessions, request, context),
    ...snapshotCalls(sandboxes),
  };
}

async function translated<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw asConnectError(error);
  }
}

/** What is wrong with this machine is UNAVAILABLE, in the words of whoever found it. */
function asConnectError(error: unknown): unknown {
  const options = { cause: error };
  if (error instanceof SandboxUnreachableError && error.kind === "ending") {
    const { SANDBOX_NOT_RUNNING } = ErrorReason;
    return failure(Code.FailedPrecondition, SANDBOX_NOT_RUNNING, error.message, options);
  }
  const isOfMachine =
    error instanceof LocalServiceError || error instanceof SandboxUnreachableError;
  if (!isOfMachine) return error;
  return failure(Code.Unavailable, ErrorReason.BACKEND_UNAVAILABLE, error.message, options);
}
