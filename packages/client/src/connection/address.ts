import { DEFAULT_BASE_URL, EnvironmentVariable } from "@tidybox/protocol";
import { ConfigurationError } from "../errors/request-errors.ts";

/**
 * The service's origin: the option, then `CWSANDBOX_BASE_URL`, then the public service; for W&B
 * `WANDB_SANDBOX_BASE_URL` comes before that.
 *
 * @throws ConfigurationError for what is no `http:` or `https:` URL, or has a path: the paths of a
 * gRPC service are its own.
 */
export function resolveBaseUrl(option: string | undefined, forWandb = false): string {
  const variables = forWandb
    ? [EnvironmentVariable.WANDB_BASE_URL, EnvironmentVariable.BASE_URL]
    : [EnvironmentVariable.BASE_URL];
  const variable = variables.find((name) => (process.env[name]?.trim() ?? "") !== "");
  const [source, text] =
    option !== undefined
      ? ["Option baseUrl", option.trim()]
      : variable !== undefined
        ? [variable, process.env[variable]?.trim() ?? ""]
        : ["The default base URL", DEFAULT_BASE_URL];
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new ConfigurationError({
      message: `${source} is not an http(s) URL: ${JSON.stringify(withoutCredentials(text))}.`,
      advice: `Give it like ${DEFAULT_BASE_URL} or http://127.0.0.1:50051.`,
    });
  }
  const { username, password, pathname, search, hash } = url;
  if (
    username !== "" ||
    password !== "" ||
    pathname.replaceAll("/", "") !== "" ||
    search !== "" ||
    hash !== ""
  ) {
    throw new ConfigurationError({
      message: `${source} must be scheme, host and port only: ${JSON.stringify(withoutCredentials(text))}.`,
      advice: `Use ${url.origin}; credentials go to CWSANDBOX_API_KEY.`,
    });
  }
  return url.origin;
}

/** Whether the service runs on this machine. */
export function isLoopback(address: string): boolean {
  const { hostname } = new URL(address);
  return hostname === "localhost" || hostname === "[::1]" || hostname.startsWith("127.");
}

function withoutCredentials(text: string): string {
  return text.replace(/\/\/[^/@]*@/, "//***@");
}
