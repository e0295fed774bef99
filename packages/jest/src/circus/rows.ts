/** How many arguments jest-each passes to each case: the row's, or the one object of a template. */
export function argumentsOfCase(table: unknown): number {
  if (!Array.isArray(table) || "raw" in table) return 1;
  const isTable = table.every((row) => Array.isArray(row));
  return isTable ? Math.max(0, ...table.map((row: readonly unknown[]) => row.length)) : 1;
}
