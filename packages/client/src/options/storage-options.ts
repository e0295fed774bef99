/** A named volume of the sandbox, mounted in `main` at `mountPath`. */
export type VolumeOptions = {
  /** 1 to 63 of `A-Za-z0-9_-`, each name once. */
  readonly name: string;
  /** Absolute and normalized; not `/`, nor in system directories such as `/proc` or `/etc`. */
  readonly mountPath?: string | undefined;
  readonly readOnly?: boolean | undefined;
  readonly subPath?: string | undefined;
} & (
  | { readonly scratch?: ScratchOptions | undefined; readonly volumeId?: undefined }
  /** A registered volume, mounted live. */
  | { readonly volumeId: string; readonly scratch?: undefined }
);

/** Space that ends with the sandbox, unless a snapshot is taken. */
export interface ScratchOptions {
  /** `"10Gi"`; in memory also `"1%"` to `"100%"` of the memory request. */
  readonly size?: string | undefined;
  /** Default disk. Memory needs `size`. */
  readonly medium?: "disk" | "memory" | undefined;
  /** Begin with the content of this snapshot. */
  readonly restoreFromSnapshotId?: string | undefined;
}

export interface ObjectStorageOptions {
  readonly buckets: readonly string[];
  readonly permission: "read" | "read-write";
  /** Limits the grant. Ends with `/`. */
  readonly objectPrefix?: string | undefined;
}
