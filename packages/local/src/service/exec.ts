import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { type ExecRequest, type ExecResponse, ExecResponseSchema } from "@tidybox/protocol";
import { collectOutput } from "../engines/collect-output.ts";
import { checkCommand } from "./command.ts";
import { givenUp, invalidArgument } from "./failures.ts";
import type { Sandboxes } from "./sandboxes.ts";

const DEFAULT_OUTPUT_BYTES = 16 * 1024 * 1024;

/** Both streams together must fit one message of 100 MiB. */
const MAX_OUTPUT_BYTES = 48 * 1024 * 1024;

/** Runs a command to its end. When the caller goes away or its deadline passes, it is killed. */
export async function exec(
  sandboxes: Sandboxes,
  request: ExecRequest,
  context: HandlerContext,
): Promise<ExecResponse> {
  checkCommand(request.command, request.env, "");
  if (request.maxOutputBytes < 0) {
    throw invalidArgument([{ field: "max_output_bytes", description: "must not be negative" }]);
  }
  const maxBytes = Math.min(request.maxOutputBytes || DEFAULT_OUTPUT_BYTES, MAX_OUTPUT_BYTES);
  const sandbox = await sandboxes.running(request.sandboxId, request.container, context.signal);
  const process = await sandbox.exec({
    argv: request.command,
    environment: request.env,
    wantsInput: false,
  });
  const kill = (): void => process.kill();
  if (context.signal.aborted) kill();
  context.signal.addEventListener("abort", kill, { once: true });
  try {
    const [stdout, stderr, end] = await Promise.all([
      collectOutput(process.stdout, maxBytes),
      collectOutput(process.stderr, maxBytes),
      process.exited,
    ]);
    // The exit code of what was killed for it would look like an answer.
    if (context.signal.aborted) throw givenUp(context.signal);
    return create(ExecResponseSchema, {
      stdout: stdout.bytes,
      stderr: stderr.bytes,
      exitCode: end.exitCode,
      stdoutTruncated: stdout.producedBytes > stdout.bytes.length,
      stderrTruncated: stderr.producedBytes > stderr.bytes.length,
      stdoutBytesProduced: BigInt(stdout.producedBytes),
      stderrBytesProduced: BigInt(stderr.producedBytes),
    });
  } finally {
    context.signal.removeEventListener("abort", kill);
  }
}
