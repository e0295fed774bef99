/** Both sides at once (guaranteed), or a floor and a ceiling. */
export type ResourceOptions =
  | ResourceAmounts
  | { readonly requests: ResourceAmounts; readonly limits: ResourceAmounts };

export interface ResourceAmounts {
  /** Cores or millicores: `"2"`, `"500m"`. */
  readonly cpu?: string | undefined;
  /** Quantity: `"512Mi"`. */
  readonly memory?: string | undefined;
  readonly gpu?: GpuOptions | undefined;
}

/** At least one GPU, of a model or with at least so much memory. */
export type GpuOptions = { readonly count: number } & (
  | { readonly type: string; readonly memoryGb?: undefined }
  | { readonly memoryGb: number; readonly type?: undefined }
);
