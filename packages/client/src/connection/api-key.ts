import { DEFAULT_BASE_URL, EnvironmentVariable } from "@tidybox/protocol";
import { ConfigurationError } from "../errors/request-errors.ts";
import { keyFromNetrc } from "./netrc.ts";

/**
 * `CWSANDBOX_API_KEY`. Without one nothing is sent, which a local service may well accept; the public
 * one never does.
 *
 * @throws ConfigurationError for a key that no header can carry, or none at all for the public
 * service. No message shows the key.
 */
export function apiKeyFromEnvironment(baseUrl: string): string | undefined {
  const key = fromVariable(EnvironmentVariable.API_KEY);
  return key ?? noKey(baseUrl);
}

/** @throws ConfigurationError for the public service */
export function noKey(baseUrl: string): undefined {
  if (baseUrl !== DEFAULT_BASE_URL) return undefined;
  throw new ConfigurationError({
    message: `There is no API key for ${baseUrl}.`,
    advice:
      "Set CWSANDBOX_API_KEY; or CWSANDBOX_BASE_URL to the address of a local service, which `npx tidybox serve` prints.",
  });
}

/**
 * `WANDB_API_KEY`, then the password of `~/.netrc` (reference 4).
 *
 * @throws ConfigurationError without one: W&B's callers are always known
 */
export function wandbKeyFromEnvironment(): string {
  const key = fromVariable(EnvironmentVariable.WANDB_API_KEY) ?? keyFromNetrc();
  if (key !== undefined) return checkKey(key, "The password in ~/.netrc");
  throw new ConfigurationError({
    message: "There is no W&B API key.",
    advice: "Set WANDB_API_KEY, run `wandb login`, or give option apiKey.",
  });
}

/**
 * @param source as in "Option apiKey"
 * @throws ConfigurationError for one that no header can carry
 */
export function checkKey(text: unknown, source: string): string {
  const key = typeof text === "string" ? text.trim() : "";
  if (/^[\x21-\x7e]+$/.test(key)) return key;
  throw new ConfigurationError({
    message:
      key === ""
        ? `${source} is no text, or an empty one.`
        : `${source} has spaces or characters that no header can carry.`,
    advice: "Copy the key again, without quotes or line breaks.",
  });
}

function fromVariable(name: EnvironmentVariable): string | undefined {
  const text = process.env[name]?.trim() ?? "";
  return text === "" ? undefined : checkKey(text, name);
}
