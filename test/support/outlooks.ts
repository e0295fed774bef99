import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** One ask for a sandbox, as a coordinator logs it with `TIDYBOX_LOG=debug`. */
export interface LoggedAsk {
  readonly file: string;
  /** `describe > test begun/left` */
  readonly text: string;
  readonly certain: boolean;
}

const ASK =
  /tidybox coordinator .* s {2}(\S+) > (.*) asks: (\d+) tests begun, (exactly|at most) (\d+) more to ask/;
const EXPECTATION = /tidybox coordinator .* s {2}expects the tests of (.*)/;

/** In their order. */
export function asksIn(output: string): readonly LoggedAsk[] {
  return output.split("\n").flatMap((line) => {
    const [, file = "", name, begun, certainty, left] = ASK.exec(line.trimEnd()) ?? [];
    if (name === undefined) return [];
    return [{ file, text: `${name} ${begun}/${left}`, certain: certainty === "exactly" }];
  });
}

/** Each time that the runner has told which files run. */
export function expectationsIn(output: string): readonly (readonly string[])[] {
  return output.split("\n").flatMap((line) => {
    const [, files] = EXPECTATION.exec(line.trimEnd()) ?? [];
    return files === undefined ? [] : [files.split(" ")];
  });
}

interface HistoryFile {
  readonly projects: readonly {
    readonly root: string;
    readonly optionSets: readonly { readonly asksByFile: Readonly<Record<string, number>> }[];
  }[];
}

/**
 * How often each file has asked, as the project's own `node_modules` remembers it of all option sets.
 * Undefined: nothing is kept there.
 */
export async function keptAsks({
  directory,
}: {
  readonly directory: string;
}): Promise<Readonly<Record<string, number>> | undefined> {
  const path = join(directory, "node_modules/.cache/tidybox/history.json");
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return '{"projects":[]}';
    throw error;
  });
  const { projects } = JSON.parse(text) as HistoryFile;
  const asks: Record<string, number> = {};
  const own = projects.find(({ root }) => root === "");
  for (const { asksByFile } of own?.optionSets ?? [])
    for (const [file, count] of Object.entries(asksByFile)) asks[file] = (asks[file] ?? 0) + count;
  return own === undefined ? undefined : asks;
}
