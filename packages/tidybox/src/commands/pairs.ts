/** `name=value`, at the first `=`; a text without one is a name alone. */
export function splitPair(text: string): readonly [string] | readonly [string, string] {
  const at = text.indexOf("=");
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
