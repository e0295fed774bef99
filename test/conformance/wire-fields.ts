/** Reads protobuf by hand, from the field numbers alone: what is generated must not check itself. */

type Value = bigint | Buffer;

/** Values of each field, in order: numbers, or bytes. Throws for other kinds, which errors have not. */
export type Fields = ReadonlyMap<number, readonly Value[]>;

export function fieldsOf(bytes: Buffer): Fields {
  const fields = new Map<number, Value[]>();
  let at = 0;
  const number = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes.readUInt8(at);
      at += 1;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const content = (): Buffer => {
    const length = Number(number());
    if (at + length > bytes.length) throw new Error("a field is longer than its message");
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const tag = Number(number());
    const kind = tag & 7;
    if (kind !== 0 && kind !== 2) throw new Error(`field ${tag >> 3} has the wire type ${kind}`);
    const value = kind === 0 ? number() : content();
    fields.set(tag >> 3, [...(fields.get(tag >> 3) ?? []), value]);
  }
  return fields;
}

export function textsIn(fields: Fields, field: number): readonly string[] {
  return bytesIn(fields, field).map((value) => value.toString("utf8"));
}

export function numberIn(fields: Fields, field: number): number {
  const value = fields.get(field)?.[0] ?? 0n;
  if (typeof value !== "bigint") throw new Error(`field ${field} is no number`);
  return Number(value);
}

export function messagesIn(fields: Fields, field: number): readonly Fields[] {
  return bytesIn(fields, field).map(fieldsOf);
}

export function bytesIn(fields: Fields, field: number): readonly Buffer[] {
  return (fields.get(field) ?? []).map((value) => {
    if (typeof value === "bigint") throw new Error(`field ${field} is a number`);
    return value;
  });
}

/** What `grpc-status-details-bin` carries, by the numbers of reference 5.1. */
export interface StatusDetails {
  readonly code: number;
  readonly message: string;
  /** `google.rpc.ErrorInfo` and so on, with the bytes of each. */
  readonly details: readonly { readonly typeUrl: string; readonly value: Buffer }[];
}

export function statusDetails(trailer: string): StatusDetails {
  const status = fieldsOf(Buffer.from(trailer, "base64"));
  return {
    code: numberIn(status, 1),
    message: textsIn(status, 2)[0] ?? "",
    details: messagesIn(status, 3).map((any) => ({
      typeUrl: textsIn(any, 1)[0] ?? "",
      value: bytesIn(any, 2)[0] ?? Buffer.alloc(0),
    })),
  };
}
