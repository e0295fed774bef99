/** A fenced block of a Markdown file. */
export interface CodeBlock {
  readonly language: string;
  readonly code: string;
  /** From a first line such as `// adds.test.ts`. */
  readonly file: string | undefined;
}

export function codeBlocks(markdown: string): readonly CodeBlock[] {
  return [...markdown.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(
    ([, language = "", code = ""]) => ({
      language,
      code,
      file: /^\/\/ (\S+\.ts)$/m.exec(code.split("\n")[0] ?? "")?.[1],
    }),
  );
}
