import { TidyboxError } from "@tidybox/client";

/** One JSON document on stdout, and nothing else there. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
}

export function printLine(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** For a person, on stderr, so that it never mixes with what a program reads. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** What went wrong and what to do. A stack only where nobody foresaw the error. */
export function complain(error: unknown): void {
  if (error instanceof TidyboxError) {
    note(`tidybox: ${error.message}`);
  } else if (error instanceof Error && "code" in error) {
    note(`tidybox: ${error.message}`);
  } else {
    note(`tidybox: ${error instanceof Error ? error.stack : String(error)}`);
  }
}

/** Columns as wide as their widest cell. */
export function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
