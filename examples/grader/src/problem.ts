import { readFile } from "node:fs/promises";

export interface Case {
  readonly name: string;
  /** Standard input. */
  readonly input: string;
  /** Standard output, but for white space at the ends of lines and of the whole. */
  readonly expected: string;
}

export interface Problem {
  readonly title: string;
  /** For each case. */
  readonly timeLimitSeconds: number;
  /** For each case and each of its two output streams. */
  readonly outputLimitBytes: number;
  readonly cases: readonly Case[];
}

/** Reads a problem from its JSON file. Throws an error that names the file and the field. */
export async function loadProblem(file: string): Promise<Problem> {
  const wrong = (field: string, must: string): never => {
    throw new Error(`${file}: ${field} must be ${must}`);
  };
  const text = (value: unknown, field: string): string =>
    typeof value === "string" ? value : wrong(field, "a text");
  const positive = (value: unknown, field: string): number =>
    typeof value === "number" && value > 0 ? value : wrong(field, "a number above 0");

  const json = fieldsOf(JSON.parse(await readFile(file, "utf8")));
  const cases: unknown = json["cases"];
  return {
    title: text(json["title"], "title"),
    timeLimitSeconds: positive(json["timeLimitSeconds"], "timeLimitSeconds"),
    outputLimitBytes: positive(json["outputLimitBytes"], "outputLimitBytes"),
    cases:
      Array.isArray(cases) && cases.length > 0
        ? cases.map((each: unknown, index) => {
            const { name, input, expected } = fieldsOf(each);
            return {
              name: text(name, `cases[${index}].name`),
              input: text(input, `cases[${index}].input`),
              expected: text(expected, `cases[${index}].expected`),
            };
          })
        : wrong("cases", "a list with at least one case"),
  };
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
