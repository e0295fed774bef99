/** What one attempt to get at something brought. */
export type Attempt = { readonly got: string } | { readonly refused: string };

/** What each attempt of the evil package brought, by the attempt's name. */
export type Loot = Readonly<Record<string, Attempt>>;

/** What the code of packages asked Node for. */
export interface Touched {
  readonly files: readonly string[];
  readonly network: readonly string[];
  readonly programs: readonly string[];
  /** Names of environment variables; `*` when it listed them all. */
  readonly variables: readonly string[];
}

/** What the probe says of a package. It comes from where untrusted code runs. */
export interface Report {
  readonly answer: unknown;
  readonly touched: Touched;
  readonly loot: Loot;
}

/** Reads a report. Throws when it is none. */
export function parseReport(text: string): Report {
  const { answer, touched, loot } = fieldsOf(JSON.parse(text));
  const { files, network, programs, variables } = fieldsOf(touched);
  return {
    answer,
    touched: {
      files: texts(files),
      network: texts(network),
      programs: texts(programs),
      variables: texts(variables),
    },
    loot: parseLoot(loot),
  };
}

/** Reads what the evil package brought in. Throws when it is nothing of the kind. */
export function parseLoot(value: unknown): Loot {
  return Object.fromEntries(
    Object.entries(fieldsOf(value)).map(([name, attempt]) => {
      const { got, refused } = fieldsOf(attempt);
      if (typeof got === "string") return [name, { got }];
      if (typeof refused === "string") return [name, { refused }];
      throw new Error(`the report says neither yes nor no to ${name}`);
    }),
  );
}

/** Names of the attempts that brought something. */
export function successes(loot: Loot): readonly string[] {
  return Object.keys(loot).filter((name) => "got" in (loot[name] ?? {}));
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null) return { ...value };
  throw new Error(`the report has ${JSON.stringify(value)} where an object belongs`);
}

function texts(value: unknown): readonly string[] {
  if (Array.isArray(value) && value.every((each) => typeof each === "string")) return value;
  throw new Error(`the report has ${JSON.stringify(value)} where a list of texts belongs`);
}
