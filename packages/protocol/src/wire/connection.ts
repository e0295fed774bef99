/** Where the service is when neither an option nor the environment says otherwise. */
export const DEFAULT_BASE_URL = "https://api.cwsandbox.com";

/** Metadata key of the credentials on every call: `Bearer <key>`. */
export const AUTHORIZATION_METADATA = "authorization";

/** Trailing metadata that carries a `google.rpc.Status` with an error's details. */
export const STATUS_DETAILS_METADATA = "grpc-status-details-bin";

/** Environment variables of the official SDKs (reference 4). Read them when needed, not at import. */
export const EnvironmentVariable = {
  API_KEY: "CWSANDBOX_API_KEY",
  BASE_URL: "CWSANDBOX_BASE_URL",
  WANDB_API_KEY: "WANDB_API_KEY",
  WANDB_ENTITY: "WANDB_ENTITY",
  WANDB_PROJECT: "WANDB_PROJECT",
  WANDB_BASE_URL: "WANDB_SANDBOX_BASE_URL",
} as const;

export type EnvironmentVariable = (typeof EnvironmentVariable)[keyof typeof EnvironmentVariable];
