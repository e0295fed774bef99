import { dirname } from "node:path";

const OWN_PREFIXES = ["VITEST", "TIDYBOX_", "CWSANDBOX_", "npm_", "JEST_", "__VITEST"];
const OWN_NAMES = new Set([
  "NODE_OPTIONS",
  "NODE_ENV",
  "NODE_V8_COVERAGE",
  "DEV",
  "PROD",
  "SSR",
  "MODE",
  "BASE_URL",
  "TEST",
  "INIT_CWD",
]);

/** Where a user's npm gets packages from; the rest of npm's variables are about our own script. */
const NPM_SETTINGS = new Set(["npm_config_registry", "npm_config_cache", "npm_config_userconfig"]);

/** Our environment as a user's shell would have it: without what our own runner has put there. */
export function outsideEnvironment(
  extra: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value === undefined || OWN_NAMES.has(name)) continue;
    if (OWN_PREFIXES.some((prefix) => name.startsWith(prefix)) && !NPM_SETTINGS.has(name)) continue;
    env[name] = value;
  }
  // The Node that runs the tests comes first, whatever else the machine has.
  env["PATH"] = `${dirname(process.execPath)}:${env["PATH"] ?? ""}`;
  return { ...env, ...extra };
}
