import { type Timestamp, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { checkContainer, checkInteger } from "../options/checks.ts";
import { invalidOption } from "../options/invalid-option.ts";

export interface LogOptions {
  /** One of its containers, by name; an init container too. Default: the primary one. */
  readonly container?: string | undefined;
  /** Go on with what is printed later, until the main process has ended. Default false. */
  readonly follow?: boolean | undefined;
  /** Begin with the last so many lines. Default: all, which 0 is too. */
  readonly tailLines?: number | undefined;
  /** Begin with lines of that time or later; a number is seconds ago. Default: all. */
  readonly since?: Date | number | undefined;
  /** Put the time before each line, as ISO 8601 and a space. Default false. */
  readonly timestamps?: boolean | undefined;
  /** Ends every reading; it throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What a reading asks for first; a time that was given as an age is a time here. */
export interface LogWindow {
  /** Empty: the primary one. */
  readonly container: string;
  readonly follow: boolean;
  readonly tailLines: number;
  readonly sinceTime: Timestamp | undefined;
  readonly timestamps: boolean;
}

const KNOWN_OPTIONS: Readonly<Record<keyof LogOptions, true>> = {
  container: true,
  follow: true,
  tailLines: true,
  since: true,
  timestamps: true,
  signal: true,
};

const MOST_LINES = 2 ** 31 - 1;

/** @throws ConfigurationError */
export function checkLogOptions(options: LogOptions): void {
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(KNOWN_OPTIONS, name));
  if (unknown !== undefined) {
    const known = Object.keys(KNOWN_OPTIONS).join(", ");
    throw invalidOption(unknown, "is not an option of logs()", `Known are: ${known}.`);
  }
  checkContainer(options);
  if (options.tailLines !== undefined) checkInteger(options.tailLines, "tailLines", 0, MOST_LINES);
  const { since } = options;
  if (since === undefined) return;
  const valid =
    typeof since === "number"
      ? Number.isFinite(since) && since >= 0
      : Number.isFinite(since.getTime());
  if (!valid) {
    throw invalidOption("since", `must be a Date or a number of seconds ago, not ${String(since)}`);
  }
}

export function toLogWindow(options: LogOptions): LogWindow {
  const { container = "", follow = false, tailLines = 0, since, timestamps = false } = options;
  const date = typeof since === "number" ? new Date(Date.now() - since * 1000) : since;
  return {
    container,
    follow,
    tailLines,
    sinceTime: date === undefined ? undefined : timestampFromDate(date),
    timestamps,
  };
}
