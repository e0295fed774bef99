/** A fenced block of a Markdown file. */
export interface CodeBlock {
  readonly language: string;
  /** What stands behind the language: whose it is where that is not Vitest, such as `jest esm`. */
  readonly group: string;
  readonly code: string;
  /** From a first line such as `// adds.test.ts`. */
  readonly file: string | undefined;
  /** From one such as `// jest.config.js (with options)`; empty when there is none. */
  readonly variant: string;
}

export function codeBlocks(markdown: string): readonly CodeBlock[] {
  return [...markdown.matchAll(/^```(\w*)([^\n]*)\n([\s\S]*?)^```$/gm)].map(
    ([, language = "", group = "", code = ""]) => {
      const named = /^\/\/ (\S+\.[cm]?[jt]s)(?: \((.+)\))?$/.exec(code.split("\n")[0] ?? "");
      return { language, group: group.trim(), code, file: named?.[1], variant: named?.[2] ?? "" };
    },
  );
}

/** The files of a group's blocks; of those with variants, the one that is asked for. */
export function filesOf(
  blocks: readonly CodeBlock[],
  group: string,
  variant = "",
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    blocks.flatMap((block) =>
      block.file !== undefined &&
      block.group === group &&
      (block.variant === "" || block.variant === variant)
        ? [[block.file, block.code] as const]
        : [],
    ),
  );
}
