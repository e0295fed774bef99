const LINES = 20;
const CHARACTERS = 4096;

/** The end of an output, for people: its last 20 lines, at most 4096 characters of them. */
export class LastLines {
  #bytes: Uint8Array = new Uint8Array(0);
  #cut = false;

  push(chunk: Uint8Array): void {
    const all = Buffer.concat([this.#bytes, chunk.subarray(-CHARACTERS)]);
    this.#cut ||= this.#bytes.byteLength + chunk.byteLength > CHARACTERS;
    this.#bytes = Uint8Array.from(all.subarray(-CHARACTERS));
  }

  /** Control characters are shown and not sent: a terminal would obey them. */
  lines(): readonly string[] {
    const text = new TextDecoder().decode(this.#bytes);
    const all = text.replace(/\r?\n$/, "").split(/\r?\n/);
    if (text === "") return [];
    const shown = all.map(showControls);
    if (this.#cut) shown[0] = `…${shown[0] ?? ""}`;
    const last = shown.slice(-LINES);
    let over = last.join("\n").length - CHARACTERS;
    while (over > 0 && last.length > 1) over -= (last.shift()?.length ?? 0) + 1;
    return over > 0 ? [`…${(last[0] ?? "").slice(over)}`] : last;
  }
}

/** Control, format and separator characters become `\x1b` or `\u{202e}`; tabs stay. */
export function showControls(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    if (character === "\t") return character;
    const code = character.codePointAt(0)?.toString(16) ?? "";
    return code.length <= 2 ? `\\x${code.padStart(2, "0")}` : `\\u{${code}}`;
  });
}
