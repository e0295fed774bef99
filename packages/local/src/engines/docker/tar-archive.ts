import type { PlannedFile } from "../engine.ts";

const BLOCK_BYTES = 512;
const REGULAR_FILE = "0";
const EXTENDED_HEADER = "x";

/** A tar archive of files that belong to root and everyone may read; paths begin at `/`. */
export function tarOf(files: readonly PlannedFile[]): Buffer {
  const blocks = files.flatMap(({ path, content }) => {
    const name = path.replace(/^\/+/, "");
    // The plain header has 100 bytes for a name, and says nothing of how they are encoded.
    const extended = extendedHeader(name);
    return [
      ...entry("pax", extended, EXTENDED_HEADER),
      ...entry("file", Buffer.from(content), REGULAR_FILE),
    ];
  });
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK_BYTES)]);
}

/** One record, `length path=name\n`, in which the length counts its own digits. */
function extendedHeader(name: string): Buffer {
  const rest = Buffer.byteLength(` path=${name}\n`);
  let length = rest;
  while (String(length).length + rest !== length) length = String(length).length + rest;
  return Buffer.from(`${length} path=${name}\n`);
}

function entry(name: string, content: Buffer, type: string): readonly Buffer[] {
  const header = Buffer.alloc(BLOCK_BYTES);
  const octal = (value: number, offset: number, size: number): void => {
    header.write(value.toString(8).padStart(size - 1, "0"), offset, "latin1");
  };
  header.write(name, 0, "latin1");
  octal(0o644, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(content.length, 124, 12);
  octal(0, 136, 12);
  header.fill(" ", 148, 156);
  header.write(type, 156, "latin1");
  header.write("ustar\u000000", 257, "latin1");
  octal(
    header.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  const padding = (BLOCK_BYTES - (content.length % BLOCK_BYTES)) % BLOCK_BYTES;
  return [header, content, Buffer.alloc(padding)];
}
