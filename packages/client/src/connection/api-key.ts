import { DEFAULT_BASE_URL, EnvironmentVariable } from "@tidybox/protocol";
import { ConfigurationError } from "../errors/request-errors.ts";

/**
 * The option, then `CWSANDBOX_API_KEY`. Without one nothing is sent, which a local service may well
 * accept; the public one never does.
 *
 * @throws ConfigurationError for a key that no header can carry, or none at all for the public
 * service. No message shows the key.
 */
export function resolveApiKey(option: string | undefined, baseUrl: string): string | undefined {
  const key = (option ?? process.env[EnvironmentVariable.API_KEY] ?? "").trim();
  if (key === "") {
    if (baseUrl !== DEFAULT_BASE_URL) return undefined;
    throw new ConfigurationError({
      message: `There is no API key for ${baseUrl}.`,
      advice:
        "Set CWSANDBOX_API_KEY; or CWSANDBOX_BASE_URL to the address of a local service, which `npx tidybox serve` prints.",
    });
  }
  if (!/^[\x21-\x7e]+$/.test(key)) {
    throw new ConfigurationError({
      message: `${option === undefined ? EnvironmentVariable.API_KEY : "Option apiKey"} has spaces or characters that no header can carry.`,
      advice: "Copy the key again, without quotes or line breaks.",
    });
  }
  return key;
}
