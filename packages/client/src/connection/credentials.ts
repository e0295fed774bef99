import { AUTHORIZATION_METADATA, EnvironmentVariable } from "@tidybox/protocol";
import { AuthenticationError } from "../errors/request-errors.ts";
import { TidyboxError } from "../errors/tidybox-error.ts";
import { apiKeyFromEnvironment, checkKey, noKey, wandbKeyFromEnvironment } from "./api-key.ts";
import { Deadline } from "./deadline.ts";
import { abortable } from "./waiting.ts";

/** Gives the key of now, where keys change: from a file, a vault, an instance's metadata. */
export type ApiKeyProvider = (options: {
  readonly signal: AbortSignal;
}) => string | Promise<string>;

/** Whom the sandboxes belong to at W&B. */
export interface WandbOptions {
  /** Default: `WANDB_ENTITY`. */
  readonly entity?: string | undefined;
  /** Default: `WANDB_PROJECT`. */
  readonly project?: string | undefined;
}

export interface CredentialOptions {
  readonly apiKey: string | ApiKeyProvider | undefined;
  readonly wandb: boolean | WandbOptions;
  readonly baseUrl: string;
  /** For one answer of the provider. */
  readonly timeoutSeconds: number;
}

/** What another process needs to make the same calls. */
export interface ServiceAccess {
  readonly baseUrl: string;
  readonly apiKey: string | undefined;
  readonly wandb: false | WandbOptions;
}

/** Shorter ones are no real secrets, and hiding each "k" would garble every message. */
const SHORTEST_SECRET = 6;
/** Of old keys, so that late errors are clean too. */
const REMEMBERED_KEYS = 4;

/** The key, and what calls carry of it. All fields are private, so that nothing prints it. */
export class Credentials {
  readonly #options: CredentialOptions;
  readonly #provider: ApiKeyProvider | undefined;
  #key: string | undefined;
  #asking: Promise<string> | undefined;
  #secrets: readonly string[] = [];

  /**
   * Reads the environment now, and only for what the options leave open.
   *
   * @throws ConfigurationError for a key that cannot be
   */
  constructor(options: CredentialOptions) {
    this.#options = options;
    const { apiKey, wandb, baseUrl } = options;
    if (typeof apiKey === "function") this.#provider = apiKey;
    else if (apiKey !== undefined)
      this.#take(apiKey.trim() === "" ? noKey(baseUrl) : checkKey(apiKey, "Option apiKey"));
    else this.#take(wandb === false ? apiKeyFromEnvironment(baseUrl) : wandbKeyFromEnvironment());
  }

  /** What must not be in an error. No getter: what prints an object may call those. */
  secrets(): readonly string[] {
    return this.#secrets;
  }

  /**
   * The key of now. Several at once ask the provider once.
   *
   * @throws AuthenticationError when the provider fails, with its error as the cause
   */
  async key(): Promise<string | undefined> {
    if (this.#key !== undefined || this.#provider === undefined) return this.#key;
    this.#asking ??= this.#ask(this.#provider).finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  /** After the service refused a key: asks the provider, once for all. Whether there is another. */
  async renew(refused: string | undefined): Promise<boolean> {
    if (this.#provider === undefined) return false;
    if (this.#key === refused) this.#key = undefined;
    return (await this.key()) !== refused;
  }

  /** Metadata of a call (reference 4). */
  async metadata(): Promise<readonly (readonly [name: string, value: string])[]> {
    const key = await this.key();
    const { wandb } = this.#options;
    if (key === undefined) return [];
    if (wandb === false) return [[AUTHORIZATION_METADATA, `Bearer ${key}`]];
    return wandbMetadata(key, ownerOf(wandb));
  }

  /**
   * With the last key that was known, at once. Holds it: for a pipe, never for a message, argv, the
   * environment or a file.
   */
  access(): ServiceAccess {
    const { baseUrl, wandb } = this.#options;
    return { baseUrl, apiKey: this.#key, wandb: wandb === false ? false : ownerOf(wandb) };
  }

  #take(key: string | undefined): void {
    this.#key = key;
    if (key === undefined || key.length < SHORTEST_SECRET || this.#secrets.includes(key)) return;
    this.#secrets = [key, ...this.#secrets].slice(0, REMEMBERED_KEYS);
  }

  async #ask(provider: ApiKeyProvider): Promise<string> {
    const { baseUrl, timeoutSeconds } = this.#options;
    const failed = (how: string, cause?: unknown) =>
      new AuthenticationError({
        message: `There is no API key for ${baseUrl}: the function in option apiKey ${how}.`,
        advice: "See what it says, in the cause of this error, and whether it ends.",
        cause,
      });
    using deadline = new Deadline(timeoutSeconds, [], () =>
      failed(`has not answered within ${timeoutSeconds} s`),
    );
    const { signal } = deadline;
    try {
      const answer = new Promise<string>((resolve) => resolve(provider({ signal })));
      const key = checkKey(
        await abortable(answer, signal),
        "What the function in option apiKey gives",
      );
      this.#take(key);
      return key;
    } catch (error) {
      throw error instanceof TidyboxError ? error : failed("has thrown", error);
    }
  }
}

function ownerOf(wandb: true | WandbOptions): Required<WandbOptions> {
  const { entity, project }: WandbOptions = wandb === true ? {} : wandb;
  return {
    entity: (entity ?? process.env[EnvironmentVariable.WANDB_ENTITY] ?? "").trim(),
    project: (project ?? process.env[EnvironmentVariable.WANDB_PROJECT] ?? "").trim(),
  };
}

/** As W&B's own entry of the official SDK sends it; the version of a client that is not one of them. */
function wandbMetadata(key: string, { entity, project }: Required<WandbOptions>) {
  const known: (readonly [string, string])[] = [
    ["x-entity-id", entity ?? ""],
    ["x-project-name", project ?? ""],
  ];
  return [
    ["x-wandb-api-key", key] as const,
    ["x-cwsandbox-client-version", "unknown"] as const,
    ["x-wandb-sdk-version", "unknown"] as const,
    // The one value that the service is known to take.
    ["x-sandbox-integration", "js-sdk"] as const,
    ...known.filter(([, value]) => value !== ""),
  ];
}
