import type { Handover } from "./live-sandbox.ts";

/** One line of JSON each, over the helper's stdin. At the end of the stream it begins to stop. */
export type HelperMessage =
  | { readonly kind: "stop"; readonly key: string; readonly handover: Handover }
  | { readonly kind: "gone"; readonly key: string }
  | { readonly kind: "grace"; readonly seconds: number };

export function encodeMessages(messages: readonly HelperMessage[]): Buffer {
  return Buffer.from(messages.map((message) => `${JSON.stringify(message)}\n`).join(""));
}

/** Undefined for a line that was cut off: whoever wrote it ended in the middle. */
export function decodeMessage(line: string): HelperMessage | undefined {
  try {
    return JSON.parse(line) as HelperMessage;
  } catch {
    return undefined;
  }
}
