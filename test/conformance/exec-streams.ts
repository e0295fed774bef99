import type { MessageInitShape } from "@bufbuild/protobuf";
import { expect } from "vitest";
import {
  type ExecStreamInitSchema,
  ExecStreamOutput_Stream,
  type ExecStreamResponse,
} from "@tidybox/protocol";
import { Requests } from "../../packages/local/src/testing/requests.ts";
import type { ServiceClient } from "../../packages/local/src/testing/test-service.ts";

type Init = MessageInitShape<typeof ExecStreamInitSchema>;
type Message = ExecStreamResponse["message"];

export interface EndedStream {
  /** The kinds of all messages, in their order. */
  readonly order: readonly string[];
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  /** Undefined when no `exit` came. */
  readonly exitCode: number | undefined;
}

/** One StreamExec, message by message. Keeps what was sent to it: not for hundreds of megabytes. */
export class ExecStream {
  readonly messages: Message[] = [];
  readonly #requests = new Requests();
  readonly #cancel = new AbortController();
  readonly #responses: AsyncIterator<ExecStreamResponse>;

  /** Without `init` nothing is sent yet. */
  constructor(client: ServiceClient, init?: Init, { timeoutMs }: { timeoutMs?: number } = {}) {
    if (init !== undefined) this.init(init);
    const options = { signal: this.#cancel.signal, ...(timeoutMs !== undefined && { timeoutMs }) };
    this.#responses = client.streamExec(this.#requests, options)[Symbol.asyncIterator]();
  }

  init(value: Init): void {
    this.#requests.send({ case: "init", value });
  }

  stdin(data: string | Uint8Array): void {
    this.#requests.send({ case: "stdin", value: Buffer.from(data) });
  }

  resize(width: number, height: number): void {
    this.#requests.send({ case: "resize", value: { width, height } });
  }

  close(): void {
    this.#requests.send({ case: "close", value: {} });
  }

  halfClose(): void {
    this.#requests.end();
  }

  cancel(): void {
    this.#cancel.abort();
  }

  /** Undefined when the stream has ended with status OK; throws for any other status. */
  async next(): Promise<Message | undefined> {
    const { done, value } = await this.#responses.next();
    if (done === true) return undefined;
    this.messages.push(value.message);
    return value.message;
  }

  /** The first message, which must be `ready`. */
  async ready(): Promise<Extract<Message, { case: "ready" }>["value"]> {
    const first = await this.next();
    expect(first?.case).toBe("ready");
    if (first?.case !== "ready") throw new Error("not ready");
    return first.value;
  }

  /** Reads on until the output of both streams has that text. */
  async shows(text: string): Promise<void> {
    while (!this.#output().includes(text)) {
      const message = await this.next();
      if (message?.case === undefined || message.case === "exit" || message.case === "error")
        throw new Error(`ended after ${JSON.stringify(this.#output().toString())}`);
    }
  }

  /** Reads on to `exit` (or `error`), as the official SDKs do, and no further. */
  async exit(): Promise<EndedStream> {
    for (;;) {
      const message = await this.next();
      if (message === undefined || message.case === "exit" || message.case === "error")
        return this.#summary();
    }
  }

  /** Reads on to the end of the stream. */
  async ended(): Promise<EndedStream> {
    while ((await this.next()) !== undefined);
    return this.#summary();
  }

  #output(stream?: ExecStreamOutput_Stream): Buffer {
    return Buffer.concat(
      this.messages.flatMap((message) =>
        message.case === "output" && (stream ?? message.value.stream) === message.value.stream
          ? [message.value.data]
          : [],
      ),
    );
  }

  #summary(): EndedStream {
    const exit = this.messages.find((message) => message.case === "exit");
    return {
      order: this.messages.map((message) => message.case ?? "nothing"),
      stdout: this.#output(ExecStreamOutput_Stream.STDOUT),
      stderr: this.#output(ExecStreamOutput_Stream.STDERR),
      exitCode: exit?.value.exitCode,
    };
  }
}

/** A command without input, as both SDKs send it: `init`, and half-close at once. */
export function streamed(
  client: ServiceClient,
  sandboxId: string,
  ...command: string[]
): Promise<EndedStream> {
  const stream = new ExecStream(client, { sandboxId, command });
  stream.halfClose();
  return stream.ended();
}

/** A script with input: sent once the command is ready, then `close` and half-close. */
export async function fed(
  client: ServiceClient,
  init: Init,
  frames: Iterable<string | Uint8Array>,
): Promise<EndedStream> {
  const stream = new ExecStream(client, init);
  await stream.ready();
  for (const frame of frames) stream.stdin(frame);
  stream.close();
  stream.halfClose();
  return stream.ended();
}

/** The slices that a whole buffer is sent in. */
export function slices(content: Uint8Array, sizeBytes: number): readonly Uint8Array[] {
  return Array.from({ length: Math.ceil(content.length / sizeBytes) }, (_, index) =>
    content.subarray(index * sizeBytes, (index + 1) * sizeBytes),
  );
}

/** No two positions that are near each other look alike: lost or swapped pieces are seen. */
export function patterned(sizeBytes: number): Buffer {
  const content = Buffer.alloc(sizeBytes);
  for (let at = 0; at + 4 <= sizeBytes; at += 4) content.writeUInt32LE(at ^ 0xa5_5a, at);
  return content;
}
