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
  readonly backendReason: string;
  /** Undefined with the remote service, and where none works. */
  readonly engine: string | undefined;
  readonly findings: readonly Finding[];
  /** What a sandbox of this image finds; undefined where none was made. */
  readonly inside: { readonly image: string; readonly tools: readonly FoundTool[] } | undefined;
}

const MARKS: Readonly<Record<FindingState, string>> = { ok: "ok", weaker: "!", missing: "x" };

/** Some programs tell all that they were built with. */
const VERSION_LENGTH = 60;

/** For a person. */
export function reportLines(report: DoctorReport): readonly string[] {
  const { usable, backend, backendReason, engine, findings, inside } = report;
  const lines = [`backend  ${backend} (${backendReason})`];
  if (engine !== undefined) lines.push(`engine   ${engine}`);
  lines.push("");
  const width = Math.max(...findings.map(({ name }) => name.length));
  for (const { name, state, detail, remedy } of findings) {
    lines.push(`${MARKS[state].padEnd(3)} ${name.padEnd(width)}  ${detail}`);
    if (remedy !== undefined) lines.push(`    ${" ".repeat(width)}  -> ${remedy}`);
  }
  if (inside !== undefined) {
    lines.push("", `A sandbox of ${inside.image} finds:`);
    for (const { name, path, version } of inside.tools)
      lines.push(
        `    ${name.padEnd(8)} ${path === undefined ? "not there" : [version.slice(0, VERSION_LENGTH), `(${path})`].join(" ").trim()}`,
      );
  }
  lines.push("", usable ? "Usable." : "Not usable.");
  return lines;
}
