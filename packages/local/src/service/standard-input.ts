import type { Writable } from "node:stream";
import type { ExecStreamRequest } from "@tidybox/protocol";

/**
 * Feeds what a client sends to a process, as fast as it reads. `close` and the end of the requests
 * both mean end of input, never a kill. Resolves when no more input can come; never rejects,
 * because a process may end, or its client leave, at any time.
 */
export async function feedStandardInput(
  requests: AsyncIterator<ExecStreamRequest>,
  stdin: Writable | undefined,
): Promise<void> {
  // EPIPE is the process's own business: it did not want more.
  stdin?.on("error", () => {});
  try {
    for (;;) {
      const { done, value } = await requests.next();
      if (done === true || value.message.case === "close") break;
      // A resize means nothing without a terminal, and a second init is not a reason to kill.
      if (value.message.case !== "stdin" || stdin === undefined || stdin.destroyed) continue;
      if (!stdin.write(value.message.value)) await drained(stdin);
    }
  } catch {
    // The client is gone: the call's signal says so too, and ends the process.
  } finally {
    stdin?.end();
  }
}

function drained(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      stream.off("drain", settle).off("close", settle).off("error", settle);
      resolve();
    };
    stream.once("drain", settle).once("close", settle).once("error", settle);
    if (stream.destroyed) settle();
  });
}
