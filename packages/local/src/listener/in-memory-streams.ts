import type { UniversalHandler, UniversalHandlerFn } from "@connectrpc/connect/protocol";
import { Code, ConnectError } from "@connectrpc/connect";

/**
 * A handler that notices the end of its call as one does whose connection is a socket: what it
 * waits for of the client fails, and its answer is ended where it stands. Without this, a generator
 * that waits at a `yield` for a client who has gone would wait for ever, and its `finally` with it.
 */
export function endingWithItsCall(handler: UniversalHandler): UniversalHandlerFn {
  if (handler.method.methodKind === "unary") return handler;
  return async (request) => {
    const { body, signal } = request;
    const answer = await handler({
      ...request,
      ...(isStream(body) && { body: failingWhenAborted(body, signal) }),
    });
    const messages = answer.body?.[Symbol.asyncIterator]();
    if (messages === undefined) return answer;
    const end = () => void messages.throw?.(signal.reason).catch(() => {});
    if (signal.aborted) end();
    signal.addEventListener("abort", end, { once: true });
    return { ...answer, body: { [Symbol.asyncIterator]: () => messages } };
  };
}

function isStream<T>(body: T): body is T & AsyncIterable<Uint8Array> {
  return typeof body === "object" && body !== null && Symbol.asyncIterator in body;
}

function failingWhenAborted<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncIterable<T> {
  const iterator = source[Symbol.asyncIterator]();
  const next = (): Promise<IteratorResult<T>> =>
    new Promise((resolve, reject) => {
      const onAbort = () => reject(ConnectError.from(signal.reason, Code.Canceled));
      if (signal.aborted) onAbort();
      signal.addEventListener("abort", onAbort, { once: true });
      const forget = () => signal.removeEventListener("abort", onAbort);
      iterator.next().then(resolve, reject).finally(forget);
    });
  const returned = async (value?: unknown): Promise<IteratorResult<T>> =>
    (await iterator.return?.(value)) ?? { done: true, value: undefined };
  return { [Symbol.asyncIterator]: () => ({ next, return: returned }) };
}
