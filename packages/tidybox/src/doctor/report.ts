import type { FoundTool } from "./tools-inside.ts";

/** `weaker`: it works, but not as well as it could. */
export type FindingState = "ok" | "weaker" | "missing";

export interface Finding {
  readonly name: string;
  readonly state: FindingState;
  readonly detail: string;
  /** What to do about it. */
  readonly remedy?: string;
}

export interface DoctorReport {
  /** Whether tests would have sandboxes here. */
  readonly usable: boolean;
  readonly backend: "coreweave" | "local";
  /** Of the local service (`tidybox serve`) that answers in the platform's place, if one does. */
  readonly localServiceUrl?: string;
  readonly backendReason: string;
  /** Undefined with the remote service, and where none works. */
  readonly engine: string | undefined;
  readonly findings: readonly Finding[];
  /** By image: the default one, and each that is configured. Empty where no sandbox was made. */
  readonly images: readonly InsideImage[];
}

/** What a sandbox of an image finds. */
export interface InsideImage {
  readonly image: string;
  /** What it runs on, where that is known; undefined with the remote service. */
  readonly root?: string;
  readonly tools: readonly FoundTool[];
  /** How to get what is not there. */
  readonly remedy?: string;
}

const MARKS: Readonly<Record<FindingState, string>> = { ok: "ok", weaker: "!", missing: "x" };

/** Some programs tell all that they were built with. */
const VERSION_LENGTH = 60;

/** For a person. */
export function reportLines(report: DoctorReport): readonly string[] {
  const { usable, backend, backendReason, engine, findings, images } = report;
  const { localServiceUrl } = report;
  // As the account of a run calls it.
  const shown = localServiceUrl === undefined ? backend : `local, served at ${localServiceUrl}`;
  const lines = [`backend  ${shown} (${backendReason})`];
  if (engine !== undefined) lines.push(`engine   ${engine}`);
  lines.push("");
  const width = Math.max(...findings.map(({ name }) => name.length));
  for (const { name, state, detail, remedy } of findings) {
    lines.push(`${MARKS[state].padEnd(3)} ${name.padEnd(width)}  ${detail}`);
    if (remedy !== undefined) lines.push(`    ${" ".repeat(width)}  -> ${remedy}`);
  }
  for (const inside of images) lines.push("", ...insideLines(inside));
  lines.push("", usable ? "Usable." : "Not usable.");
  return lines;
}

function insideLines({ image, root, tools, remedy }: InsideImage): readonly string[] {
  const on = root === undefined ? "" : ` (${root})`;
  const missing = tools.some(({ path }) => path === undefined);
  return [
    `A sandbox of ${image}${on} finds:`,
    ...tools.map(({ name, path, version }) => {
      const found = [version.slice(0, VERSION_LENGTH), `(${path})`].join(" ").trim();
      return `    ${name.padEnd(8)} ${path === undefined ? "not there" : found}`;
    }),
    ...(missing && remedy !== undefined ? [`    -> ${remedy}`] : []),
  ];
}
