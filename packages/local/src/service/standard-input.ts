import type { Writable } from "node:stream";
import type { ExecStreamRequest, ExecStreamResize } from "@tidybox/protocol";

/** A client without input says so in the same breath as its command. */
const FIRST_INPUT_MILLISECONDS = 5;

/**
 * The input of a command, or "none" when the client has closed it without sending any: the command
 * then gets `/dev/null`, which costs nothing and which it can open again by name. Who has not said
 * anything yet may still send some. Looks for that only a moment: some clients wait for `ready`.
 */
export async function firstInput(
  requests: AsyncIterator<ExecStreamRequest>,
): Promise<AsyncIterator<ExecStreamRequest> | "none"> {
  const first = requests.next();
  // A client that has gone is the business of whoever reads on.
  first.catch(() => {});
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<undefined>((resolve) => {
    // After a blocked event loop the timer fires before the stream was looked at: one more turn.
    timer = setTimeout(() => setImmediate(() => resolve(undefined)), FIRST_INPUT_MILLISECONDS);
  });
  const known = await Promise.race([first, silence]).catch(() => undefined);
  clearTimeout(timer);
  if (known !== undefined && (known.done === true || known.value.message.case === "close"))
    return "none";
  let pending: typeof first | undefined = first;
  return {
    next: () => {
      const next = pending ?? requests.next();
      pending = undefined;
      return next;
    },
  };
}

/**
 * Feeds what a client sends to a process, as fast as it reads. `close` and the end of the requests
 * both mean end of input, never a kill. Resolves when no more input can come; never rejects,
 * because a process may end, or its client leave, at any time.
 */
export async function feedStandardInput(
  requests: AsyncIterator<ExecStreamRequest>,
  stdin: Writable | undefined,
  onResize?: (size: ExecStreamResize) => Promise<void>,
): Promise<void> {
  // EPIPE is the process's own business: it did not want more.
  stdin?.on("error", () => {});
  try {
    for (;;) {
      const { done, value } = await requests.next();
      if (done === true || value.message.case === "close") break;
      // What is typed after it must find it done.
      if (value.message.case === "resize") await onResize?.(value.message.value);
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
