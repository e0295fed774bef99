/**
 * A function's source in which every bracket, comma and name is code: without comments, and with
 * nothing inside literals. What a template's `${}` holds stays, in round brackets.
 */
export function bareText(source: string): string {
  let bare = "";
  let at = 0;
  let depth = 0;
  /** The depths at which the templates whose expression is being read go on. */
  const templates: number[] = [];

  const readTemplate = (): void => {
    while (at < source.length) {
      const character = source[at];
      at += character === "\\" ? 2 : 1;
      if (character === "`") return;
      if (character === "$" && source[at] === "{") {
        at += 1;
        bare += "(";
        templates.push(depth);
        return;
      }
    }
  };

  while (at < source.length) {
    const character = source[at] ?? "";
    const skipped = skip(source, at, bare);
    if (skipped !== undefined) {
      bare += skipped.bare;
      at = skipped.to;
      continue;
    }
    at += 1;
    if (character === "`") {
      bare += '""';
      readTemplate();
    } else if (character === "}" && templates.at(-1) === depth) {
      templates.pop();
      bare += ")";
      readTemplate();
    } else {
      if (character === "{") depth += 1;
      else if (character === "}") depth -= 1;
      bare += character;
    }
  }
  return bare.trim();
}

interface Skipped {
  readonly to: number;
  /** What stands for it. */
  readonly bare: string;
}

/** Of a comment, a string or a regular expression that begins at `at`. */
function skip(source: string, at: number, before: string): Skipped | undefined {
  const character = source[at];
  if (character === '"' || character === "'") {
    const [text = character] = match(/"(?:\\[^]|[^"\\])*"?|'(?:\\[^]|[^'\\])*'?/y, source, at);
    const inside = text.slice(1, -1);
    // A name in quotes may be a key of the pattern that we look for.
    return { to: at + text.length, bare: /^[\w$]+$/.test(inside) ? `"${inside}"` : '""' };
  }
  if (character !== "/") return undefined;
  const [comment] = match(/\/\/[^\n]*|\/\*[^]*?(?:\*\/|$)/y, source, at);
  if (comment !== undefined) return { to: at + comment.length, bare: " " };
  if (!mayBeginExpression(before)) return undefined;
  const [pattern] = match(/\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/\w*/y, source, at);
  return pattern === undefined ? undefined : { to: at + pattern.length, bare: '""' };
}

function match(pattern: RegExp, source: string, at: number): readonly (string | undefined)[] {
  pattern.lastIndex = at;
  return pattern.exec(source) ?? [];
}

/** Whether a slash would begin a regular expression, and not divide. */
function mayBeginExpression(before: string): boolean {
  const end = before.slice(-40).trimEnd();
  if (/(?:^|[^\w$.])(?:return|typeof|case|in|of|void|delete|await|yield)$/.test(end)) return true;
  return !/[\w$)\]}"]$/.test(end);
}

/** Where the bracket at `open` is closed; -1 when it never is. Of bare text. */
export function closingOf(text: string, open: number): number {
  let depth = 0;
  for (let at = open; at < text.length; at += 1) {
    const character = text[at] ?? "";
    if ("([{".includes(character)) depth += 1;
    else if (")]}".includes(character) && (depth -= 1) === 0) return at;
  }
  return -1;
}

/** Where the bracket that is closed at `close` was opened; -1 when it never was. Of bare text. */
export function openingOf(text: string, close: number): number {
  let depth = 0;
  for (let at = close; at >= 0; at -= 1) {
    const character = text[at] ?? "";
    if (")]}".includes(character)) depth += 1;
    else if ("([{".includes(character) && (depth -= 1) === 0) return at;
  }
  return -1;
}

/** At the commas of the outermost level. Of bare text. */
export function splitAtCommas(text: string): readonly string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at] ?? "";
    if ("([{".includes(character)) depth += 1;
    else if (")]}".includes(character)) depth -= 1;
    else if (character === "," && depth === 0) {
      parts.push(text.slice(from, at).trim());
      from = at + 1;
    }
  }
  const last = text.slice(from).trim();
  return last === "" ? parts : [...parts, last];
}
