/** Why a volume could not be archived, or made from an archive. */
export class VolumeArchiveError extends Error {
  readonly kind: "size_exceeded" | "failed";

  constructor(kind: VolumeArchiveError["kind"], message: string, options: ErrorOptions = {}) {
    super(message, options);
    this.kind = kind;
  }
}
