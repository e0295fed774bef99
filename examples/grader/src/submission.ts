import { readFile } from "node:fs/promises";
import { basename, extname } from "node:path";

/** What a language needs: the program to have in the sandbox, and the file's name in there. */
interface Language {
  readonly program: string;
  readonly fileName: string;
}

const LANGUAGES: Readonly<Record<string, Language>> = {
  ".py": { program: "python3", fileName: "main.py" },
  ".sh": { program: "sh", fileName: "main.sh" },
};

/** A stranger's program. Its source is never looked at outside of a sandbox. */
export interface Submission extends Language {
  readonly name: string;
  readonly source: Uint8Array;
}

/** Reads a submission from its file; the language goes by the ending. */
export async function loadSubmission(file: string): Promise<Submission> {
  const language = LANGUAGES[extname(file)];
  if (language === undefined) {
    throw new Error(`${file}: must end in one of ${Object.keys(LANGUAGES).join(", ")}`);
  }
  return { ...language, name: basename(file), source: await readFile(file) };
}
