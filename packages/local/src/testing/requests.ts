import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { ExecStreamRequestSchema } from "@tidybox/protocol";

type Message = NonNullable<MessageInitShape<typeof ExecStreamRequestSchema>["message"]>;

/** Requests that a test sends one by one; the stream stays open until `end`. */
export class Requests {
  readonly #queue: Message[] = [];
  #wake: (() => void) | undefined;
  #ended = false;

  send(message: Message): void {
    this.#queue.push(message);
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator]() {
    for (;;) {
      const message = this.#queue.shift();
      if (message !== undefined) yield create(ExecStreamRequestSchema, { message });
      else if (this.#ended) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
