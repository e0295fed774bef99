/** One secret of a store, as a variable of the container. */
export interface SecretOptions {
  /** Store of the organization. */
  readonly store: string;
  /** Name of the secret in the store. */
  readonly name: string;
  /** Part of a structured secret. */
  readonly field?: string | undefined;
  /** Default: `name`. */
  readonly environmentVariable?: string | undefined;
}

/** How to get at a private image: a stored secret with `username` and `password`. */
export interface ImagePullCredentials {
  readonly registry: string;
  readonly store: string;
  readonly name: string;
  readonly field?: string | undefined;
}
