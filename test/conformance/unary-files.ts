import {
  ErrorReason,
  FileErrorMetadata,
  MAX_BUFFERED_FILE_BYTES,
  MAX_LEARNED_FILE_CAP_BYTES,
  UNARY_FILE_CAP_BYTES,
} from "@tidybox/protocol";
import {
  refusalOf,
  type Refusal,
  type ServiceClient,
} from "../../packages/local/src/testing/test-service.ts";

/** Both SDKs remember, for each sandbox object, how much the server has said that it takes. */
export class LearnedCap {
  bytes: number;

  /** `first` is what the client believes before it has been told. */
  constructor(first: number = UNARY_FILE_CAP_BYTES) {
    this.bytes = first;
  }

  learn({ reason, metadata }: Refusal): void {
    if (reason !== ErrorReason.FILE_TOO_LARGE) return;
    const told = Number(metadata[FileErrorMetadata.MAX_SIZE_BYTES]);
    if (told > 0) this.bytes = Math.min(told, MAX_LEARNED_FILE_CAP_BYTES);
  }
}

/** The content when one message has carried it, else the size that a streamed read has to have. */
export async function readOrSize(
  client: ServiceClient,
  target: { readonly sandboxId: string; readonly path: string },
  cap: LearnedCap,
): Promise<Uint8Array | number> {
  const call = client.readFile(target);
  const content = await call.then((answer) => answer.content).catch(() => undefined);
  if (content !== undefined) return content;
  const refusal = await refusalOf(call);
  if (refusal.reason !== ErrorReason.FILE_TOO_LARGE) throw refusal.error;
  cap.learn(refusal);
  // Without a size, or with one beyond this, neither SDK would fall back.
  const sizeBytes = Number(refusal.metadata[FileErrorMetadata.SIZE_BYTES]);
  if (!(sizeBytes > 0 && sizeBytes <= MAX_BUFFERED_FILE_BYTES)) throw refusal.error;
  return sizeBytes;
}
