import { createHash, type Hash } from "node:crypto";

/**
 * What of a log has been handed on. Where a session is lost, the log is read again from its
 * beginning, and this proves that the beginning is the same, without having kept it.
 */
export class DeliveredBytes {
  readonly #hash: Hash = createHash("sha256");
  #count = 0;
  #replay: { readonly hash: Hash; left: number } | undefined;

  get count(): number {
    return this.#count;
  }

  /** Some of what was handed on has not come again yet. */
  get replaying(): boolean {
    return this.#replay !== undefined;
  }

  /** From now on it comes again, from its first byte on. */
  replay(): void {
    this.#replay =
      this.#count === 0 ? undefined : { hash: createHash("sha256"), left: this.#count };
  }

  /** What of it is new; undefined when what came again is not what came before. */
  take(data: Uint8Array): Uint8Array | undefined {
    let fresh = data;
    if (this.#replay !== undefined) {
      const again = data.subarray(0, this.#replay.left);
      fresh = data.subarray(again.byteLength);
      this.#replay.hash.update(again);
      this.#replay.left -= again.byteLength;
      if (this.#replay.left === 0) {
        const same = this.#replay.hash.digest().equals(this.#hash.copy().digest());
        this.#replay = undefined;
        if (!same) return undefined;
      }
    }
    this.#hash.update(fresh);
    this.#count += fresh.byteLength;
    return fresh;
  }
}
