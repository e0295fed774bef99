import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http2";

/** 256 random bits. */
export function randomToken(): string {
  return randomBytes(32).toString("base64url");
}

/** Where clients of Weights & Biases send their key, in place of `authorization`. */
const WANDB_KEY = "x-wandb-api-key";

/**
 * A check of a call's metadata for the token, as `authorization: Bearer <token>` or as
 * `x-wandb-api-key: <token>`. It takes as long for a near miss as for nonsense.
 */
export function credentialCheck(token: string): (metadata: IncomingHttpHeaders) => boolean {
  // Digests have one length, whatever was sent.
  const bearer = digest(`Bearer ${token}`);
  const key = digest(token);
  return (metadata) => {
    const { authorization } = metadata;
    // Where both are sent, this one decides.
    if (authorization !== undefined) return timingSafeEqual(digest(authorization), bearer);
    return timingSafeEqual(digest(String(metadata[WANDB_KEY] ?? "")), key);
  };
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
