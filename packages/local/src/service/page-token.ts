const PREFIX = "tidybox-page-1:";

/** A page token names the last sandbox seen, so that a listing stays true while others come and go. */
export function encodePageToken(lastSequence: number): string {
  return Buffer.from(`${PREFIX}${lastSequence}`).toString("base64url");
}

/** The sequence after which the page begins; undefined when the token is none of ours. */
export function decodePageToken(token: string): number | undefined {
  if (token === "") return 0;
  const text = Buffer.from(token, "base64url").toString("latin1");
  const digits = text.startsWith(PREFIX) ? text.slice(PREFIX.length) : "";
  return /^\d{1,15}$/.test(digits) ? Number(digits) : undefined;
}
