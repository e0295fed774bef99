import { types } from "node:util";
import { ConnectError } from "@connectrpc/connect";

/** In place of a secret. */
const HIDDEN = "***";

/**
 * Takes secrets out of an error of the transport and of all its causes, in place: what a service or
 * proxy echoes of a request would otherwise be printed with the error's cause.
 */
export function withoutSecrets(error: unknown, secrets: readonly string[]): void {
  if (secrets.length === 0) return;
  const seen = new Set<unknown>();
  for (let each = error; types.isNativeError(each) && !seen.has(each); each = each.cause) {
    seen.add(each);
    const { message, stack } = each;
    if (found(message, secrets)) each.message = hideSecrets(message, secrets);
    if (stack !== undefined && found(stack, secrets)) each.stack = hideSecrets(stack, secrets);
    if (each instanceof ConnectError) clean(each, secrets);
  }
}

function clean(error: ConnectError, secrets: readonly string[]): void {
  Reflect.set(error, "rawMessage", hideSecrets(error.rawMessage, secrets));
  const binary = secrets.map((secret) => Buffer.from(secret));
  const tells = (bytes: Uint8Array) => binary.some((each) => Buffer.from(bytes).includes(each));
  error.details = error.details.filter(
    (detail) => !("value" in detail && detail.value instanceof Uint8Array && tells(detail.value)),
  );
  for (const [name, value] of [...error.metadata]) {
    // The values of `-bin` keys are base64, and have been read already.
    if (name.endsWith("-bin") && tells(Buffer.from(value, "base64"))) error.metadata.delete(name);
    else if (found(value, secrets)) error.metadata.set(name, hideSecrets(value, secrets));
  }
}

function found(text: string, secrets: readonly string[]): boolean {
  return secrets.some((secret) => text.includes(secret));
}

export function hideSecrets(text: string, secrets: readonly string[]): string {
  return secrets.reduce((rest, secret) => rest.replaceAll(secret, HIDDEN), text);
}
