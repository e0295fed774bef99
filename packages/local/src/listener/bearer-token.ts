import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

/** 256 random bits. */
export function randomToken(): string {
  return randomBytes(32).toString("base64url");
}

/** A check of `authorization` headers that takes as long for a near miss as for nonsense. */
export function bearerCheck(token: string): (authorization: string | undefined) => boolean {
  // Digests have one length, whatever was sent.
  const expected = digest(`Bearer ${token}`);
  return (authorization) => timingSafeEqual(digest(authorization ?? ""), expected);
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
