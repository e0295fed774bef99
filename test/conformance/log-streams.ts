import type { MessageInitShape } from "@bufbuild/protobuf";
import type { LogEntry, StreamLogsRequestSchema } from "@tidybox/protocol";
import type { ServiceClient } from "../../packages/local/src/testing/test-service.ts";
import type { CaseContext } from "./contract.ts";
import { running } from "./sandboxes.ts";

export type LogsRequest = MessageInitShape<typeof StreamLogsRequestSchema>;

export function textOf(entries: readonly LogEntry[]): string {
  return Buffer.concat(entries.map(({ data }) => data)).toString();
}

/** Reads to the end of the stream, which must have status OK. */
export async function readLog(client: ServiceClient, request: LogsRequest): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  for await (const entry of client.streamLogs(request)) entries.push(entry);
  return entries;
}

/** Reads until `enough` holds of the text, and leaves the stream then. */
export async function readLogUntil(
  client: ServiceClient,
  request: LogsRequest,
  enough: (text: string) => boolean,
): Promise<LogEntry[]> {
  const leave = new AbortController();
  const entries: LogEntry[] = [];
  for await (const entry of client.streamLogs(request, { signal: leave.signal })) {
    entries.push(entry);
    if (entry.error !== undefined) throw new Error(`${entry.error.code}: ${entry.error.message}`);
    if (enough(textOf(entries))) break;
  }
  leave.abort();
  return entries;
}

/** A main process that prints, then `end`, and lives on. Resolves when all is in the log. */
export async function printed(context: CaseContext, script: string): Promise<string> {
  const args = ["-c", `${script}; printf 'end\\n'; exec sleep 600`];
  const sandboxId = await running(context, { command: "/bin/sh", args });
  const request = { sandboxId, follow: true };
  await readLogUntil(context.bed.sandboxes, request, (text) => text.endsWith("end\n"));
  return sandboxId;
}

/** The code of the error that is the last item of a log stream. */
export async function errorOf(
  client: ServiceClient,
  request: LogsRequest,
): Promise<string | undefined> {
  return (await readLog(client, request)).at(-1)?.error?.code;
}
