import type { Random } from "./random.ts";

type Mutation = (bytes: Uint8Array, random: Random) => Uint8Array;

const flipBits: Mutation = (bytes, random) => {
  const changed = Uint8Array.from(bytes);
  for (let count = 1 + random.below(4); count > 0 && changed.length > 0; count -= 1) {
    const at = random.below(changed.length);
    changed[at] = (changed[at] ?? 0) ^ (1 << random.below(8));
  }
  return changed;
};

const replacePart: Mutation = (bytes, random) => {
  const at = random.below(bytes.length + 1);
  const end = Math.min(bytes.length, at + random.below(8));
  return joined(bytes.subarray(0, at), random.bytes(random.below(12)), bytes.subarray(end));
};

const repeatPart: Mutation = (bytes, random) => {
  const at = random.below(bytes.length + 1);
  const part = bytes.subarray(at, at + random.below(64));
  const times = random.pick([1, 3, 50]);
  return joined(
    bytes.subarray(0, at),
    ...Array.from({ length: times }, () => part),
    bytes.subarray(at),
  );
};

/** Field 1 with two bytes that are no UTF-8, and overlong or cut forms. */
const brokenText: Mutation = (bytes, random) => {
  const text = random.pick([
    [0xff, 0xfe],
    [0xc0, 0x80],
    [0xed, 0xa0, 0x80],
    [0xf0, 0x9f, 0x98],
    [0x41, 0x80],
  ]);
  const field = (1 + random.below(8)) << 3;
  return joined(bytes, Uint8Array.from([field | 2, text.length, ...text]));
};

const unknownFields: Mutation = (bytes, random) => {
  const kind = random.pick([
    [0xf8, 0x7f, 0x01],
    [0xfa, 0x7f, 0x03, 1, 2, 3],
    [0xfd, 0x7f, 1, 2, 3, 4],
    [0xf9, 0x7f, 1, 2, 3, 4, 5, 6, 7, 8],
    // Groups, which nobody has used for twenty years.
    [0xfb, 0x7f, 0x08, 0x01, 0xfc, 0x7f],
    // The largest field number there is, and one above it.
    [0xf8, 0xff, 0xff, 0xff, 0x0f, 0x01],
    [0xf8, 0xff, 0xff, 0xff, 0xff, 0x01, 0x01],
  ]);
  return joined(bytes, Uint8Array.from(kind));
};

/** Numbers that do not end, field number 0, groups without an end, lengths that lead outside. */
const impossible: Mutation = (bytes, random) => {
  const tail = random.pick([
    Array.from({ length: 12 }, () => 0xff),
    [0x00, 0x00],
    Array.from({ length: 3000 }, () => 0x0b),
    [0x0a, 0xff, 0xff, 0xff, 0xff, 0x07],
    [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    [0x0c],
    [0x0f, 0x01],
  ]);
  return joined(bytes, Uint8Array.from(tail));
};

/** One message within the other, deeper than any schema. */
const nested: Mutation = (bytes, random) => {
  let inner = bytes.subarray(0, 64);
  const tag = ((1 + random.below(3)) << 3) | 2;
  for (let depth = random.pick([10, 150, 2000]); depth > 0; depth -= 1) {
    const length = varint(inner.length);
    inner = joined(Uint8Array.from([tag, ...length]), inner);
  }
  return inner;
};

const MUTATIONS = [
  flipBits,
  flipBits,
  replacePart,
  repeatPart,
  brokenText,
  unknownFields,
  impossible,
  nested,
] as const;

/** A valid message, no longer quite what it was. */
export function mutated(bytes: Uint8Array, random: Random): Uint8Array {
  let changed = bytes;
  for (let count = random.pick([1, 1, 1, 2, 3]); count > 0; count -= 1)
    changed = random.pick(MUTATIONS)(changed, random);
  return changed;
}

export function truncated(bytes: Uint8Array, random: Random): Uint8Array {
  return bytes.subarray(0, random.below(Math.max(1, bytes.length)));
}

export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}

function varint(value: number): readonly number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}
