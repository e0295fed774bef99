import { collectOutput } from "../collect-output.ts";
import type { EngineProcess, EngineSandbox } from "../engine.ts";
import { execUntil } from "../exec-until.ts";
import { SandboxFileError, type SandboxFileErrorKind } from "../sandbox-file-error.ts";
import {
  FILE_DENIED,
  FILE_IS_DIRECTORY,
  FILE_IS_IRREGULAR,
  FILE_NOT_FOUND,
  FILE_TOO_LARGE,
  READ_FILE,
  shell,
  WRITE_FILE,
} from "./shell-scripts.ts";

const SAID_BYTES = 1000;

/**
 * Files through commands in the container, and not through Docker's archives: those see neither
 * volumes in memory nor `/proc`, and do not know what the image's user may do.
 */
export async function readContainerFile(
  sandbox: Pick<EngineSandbox, "exec">,
  path: string,
  maxSizeBytes: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const reading = command(READ_FILE, path, false, String(maxSizeBytes));
  const process = await execUntil(signal, sandbox, reading);
  const said = collectOutput(process.stderr, SAID_BYTES);
  const content = await readAtMost(process, path, maxSizeBytes);
  await check(process, path, (await said).bytes.toString());
  return content;
}

export async function writeContainerFile(
  sandbox: Pick<EngineSandbox, "exec">,
  path: string,
  content: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<void> {
  const process = await execUntil(signal, sandbox, command(WRITE_FILE, path, true));
  // What it does not want to read is told by its exit code.
  process.stdin?.on("error", () => {}).end(content);
  const [said] = await Promise.all([
    collectOutput(process.stderr, SAID_BYTES),
    collectOutput(process.stdout, 0),
  ]);
  await check(process, path, said.bytes.toString());
}

function command(script: string, path: string, wantsInput: boolean, ...more: readonly string[]) {
  // A shell would take `-` and options for something else than a file.
  const file = path.startsWith("/") ? path : `./${path}`;
  return { argv: shell(script, file, ...more), environment: {}, wantsInput };
}

async function readAtMost(
  process: EngineProcess,
  path: string,
  maxSizeBytes: number,
): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let total = 0;
  for (;;) {
    const chunk = await process.stdout.read();
    if (chunk === undefined) return Buffer.concat(chunks, total);
    total += chunk.length;
    chunks.push(chunk);
    if (total <= maxSizeBytes) continue;
    process.kill();
    process.stdout.close();
    process.stderr.close();
    throw new SandboxFileError("too_large", `${path} is too large`);
  }
}

async function check(process: EngineProcess, path: string, said: string): Promise<void> {
  const { exitCode } = await process.exited;
  if (exitCode === 0) return;
  if (exitCode === FILE_TOO_LARGE)
    throw new SandboxFileError("too_large", `${path} is too large`, { sizeBytes: Number(said) });
  const [kind, words] = reasonOf(exitCode, said.trim());
  throw new SandboxFileError(kind, `${path}${words}`);
}

function reasonOf(
  exitCode: number,
  said: string,
): readonly [kind: SandboxFileErrorKind, words: string] {
  switch (exitCode) {
    case FILE_NOT_FOUND:
      return ["not_found", ": no such file or directory"];
    case FILE_IS_DIRECTORY:
      return ["is_directory", " is a directory"];
    case FILE_IS_IRREGULAR:
      return ["unusable_path", " is not a regular file"];
    case FILE_DENIED:
      return ["permission_denied", ": permission denied"];
    case 127:
      return ["io_failed", `: the image has no cat or mkdir, which files need (${said})`];
  }
  if (/permission denied|read-only|not permitted/i.test(said))
    return ["permission_denied", `: ${said}`];
  if (/not a directory|file exists|no such file|nonexistent/i.test(said))
    return ["not_found", `: ${said}`];
  if (/file name too long|too many levels of symbolic links/i.test(said))
    return ["unusable_path", `: ${said}`];
  return ["io_failed", `: ${said || `exit code ${exitCode}`}`];
}
