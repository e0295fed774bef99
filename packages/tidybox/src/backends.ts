import { Connection, ConfigurationError } from "@tidybox/client";
import { runLabel } from "@tidybox/fixtures";
import { findLocalServices } from "@tidybox/local";

/** A service to look at: the remote one, or a local one that runs on this machine now. */
export interface ReachableBackend {
  /** `coreweave`, or the local service's label. */
  readonly name: string;
  readonly connection: Connection;
  /** It lives on this machine, and may end with its last sandbox. */
  readonly local: boolean;
}

/**
 * The remote service when `CWSANDBOX_API_KEY` or `CWSANDBOX_BASE_URL` is set, else every local
 * service of this user: one for each run under way, and each `tidybox serve`.
 */
export async function reachableBackends(): Promise<readonly ReachableBackend[]> {
  if (isSet("CWSANDBOX_API_KEY") || isSet("CWSANDBOX_BASE_URL")) {
    return [{ name: "coreweave", connection: new Connection(), local: false }];
  }
  const services = await findLocalServices();
  return services.map(({ baseUrl, token, label, pid }) => ({
    name: label ?? `local service ${pid}`,
    connection: new Connection({ baseUrl, apiKey: token }),
    local: true,
  }));
}

/**
 * The service whose rehearsal is meant: that of `--run`, or of `--base-url`, else that of
 * `CWSANDBOX_BASE_URL`, else the one local service of this user. The key of a local service that is
 * found need not be said.
 *
 * @throws ConfigurationError when there is none, or when there are several
 */
export async function rehearsedConnection({
  baseUrl,
  run,
}: {
  readonly baseUrl?: string;
  readonly run?: string;
}): Promise<Connection> {
  if (baseUrl === undefined && run === undefined && isSet("CWSANDBOX_BASE_URL"))
    return new Connection();
  const services = await findLocalServices();
  const found = services.filter(
    (each) =>
      [undefined, each.baseUrl].includes(origin(baseUrl)) &&
      (run === undefined || each.label === runLabel(run)),
  );
  const [only] = found;
  if (only !== undefined && found.length === 1)
    return new Connection({ baseUrl: only.baseUrl, apiKey: only.token });
  if (baseUrl !== undefined && run === undefined) return new Connection({ baseUrl });
  throw new ConfigurationError(
    only === undefined
      ? {
          message: `No local service of this user is running${run === undefined ? "" : ` for run ${run}`}.`,
          advice:
            "Start one with `tidybox serve`, or set CWSANDBOX_BASE_URL and CWSANDBOX_API_KEY.",
        }
      : {
          message: `There are ${found.length} local services of this user: ${found
            .map((each) => `${each.baseUrl} (${each.label ?? `pid ${each.pid}`})`)
            .join(", ")}.`,
          advice: "Say which one is meant with --base-url or --run.",
        },
  );
}

/** The tags that `--run` and `--tag` ask for: all of them must match. */
export function wantedTags(
  options: { readonly run?: string; readonly tag?: readonly string[] },
  runTag: (id: string) => string,
): readonly string[] {
  return [...(options.run === undefined ? [] : [runTag(options.run)]), ...(options.tag ?? [])];
}

/** Seconds from `90`, `90s`, `15m`, `2h` or `3d`; `flag` is what it was given to. */
export function parseDuration(flag: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)([smhd]?)$/.exec(text.trim());
  if (match === null) {
    throw new ConfigurationError({
      message: `${flag} cannot be read: ${JSON.stringify(text)}.`,
      advice: "Write a number with s, m, h or d behind it, such as 2h.",
    });
  }
  const units: Readonly<Record<string, number>> = { "": 1, s: 1, m: 60, h: 3600, d: 86_400 };
  return Number(match[1]) * (units[match[2] ?? ""] ?? 1);
}

function origin(text: string | undefined): string | undefined {
  return text !== undefined && URL.canParse(text) ? new URL(text).origin : text;
}

function isSet(name: string): boolean {
  return (process.env[name] ?? "").trim() !== "";
}
