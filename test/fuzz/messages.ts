import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { Random } from "./random.ts";
import { COMMANDS, int32, int64, oddText, plausibleText, uint32, type World } from "./values.ts";

/** How likely a text or a number is nothing that its field means. */
export type Oddness = 0.02 | 0.5;

const MAX_DEPTH = 6;
const ODD_BYTES = [0, 1, 100, 70_000] as const;

interface Context {
  readonly world: World;
  readonly random: Random;
  readonly oddness: Oddness;
}

/**
 * One message in its binary form, written by hand from the descriptor: so it can also say what no
 * library would, such as both members of a oneof, or enum numbers that do not exist.
 */
export function messageBytes(message: DescMessage, context: Context, depth = 0): Uint8Array {
  const writer = new BinaryWriter();
  for (const field of message.fields) {
    if (!isWanted(field, context.random, depth)) continue;
    if (field.name === "command" && field.fieldKind === "list")
      writeCommand(writer, field, context);
    else if (field.fieldKind === "list") {
      const count = context.random.pick([1, 1, 2, 3]);
      for (let each = 0; each < count; each += 1) writeField(writer, field, context, depth);
    } else writeField(writer, field, context, depth);
  }
  return writer.finish();
}

/** What a request means nothing without is rarely left out. */
const NEEDED = new Set(["sandbox", "spec", "containers", "name", "image", "sandbox_id", "path"]);

function isWanted({ name, parent, message }: DescField, random: Random, depth: number): boolean {
  if (parent.name === "PurgeSandboxesRequest") {
    // Purges are to be answered, not to end what the other cases are about.
    if (name === "dry_run") return random.chance(0.99);
  }
  if (message !== undefined && depth >= MAX_DEPTH) return false;
  if (NEEDED.has(name)) return random.chance(0.93);
  // Specs are large: few of their fields at once, or none would ever be valid.
  return random.chance(parent.fields.length > 8 ? 0.12 : 0.5);
}

function writeCommand(writer: BinaryWriter, field: DescField, { random }: Context): void {
  for (const word of random.pick(COMMANDS))
    writer.tag(field.number, WireType.LengthDelimited).string(word);
}

function writeField(writer: BinaryWriter, field: DescField, context: Context, depth: number): void {
  const { random, oddness } = context;
  if (field.fieldKind === "map") {
    const entry = new BinaryWriter();
    const text = random.chance(oddness) ? oddText(random) : random.pick(["A", "B_C", "1"]);
    if (random.chance(0.95)) entry.tag(1, WireType.LengthDelimited).string(text);
    if (random.chance(0.95)) entry.tag(2, WireType.LengthDelimited).string(oddValue(context));
    writer.tag(field.number, WireType.LengthDelimited).bytes(entry.finish());
  } else if (field.message !== undefined) {
    const inner = messageBytes(field.message, context, depth + 1);
    writer.tag(field.number, WireType.LengthDelimited).bytes(inner);
  } else if (field.enum !== undefined) {
    const known = field.enum.values.map((value) => value.number);
    const value = random.chance(oddness) ? int32(random) : random.pick(known);
    writer.tag(field.number, WireType.Varint).int32(value);
  } else if (field.scalar !== undefined) {
    writeScalar(writer, field, field.scalar, context);
  }
}

function oddValue({ random, oddness }: Context): string {
  return random.chance(oddness) ? oddText(random) : "value";
}

function writeScalar(
  writer: BinaryWriter,
  field: DescField,
  scalar: ScalarType,
  context: Context,
): void {
  const { random, oddness, world } = context;
  const isOdd = random.chance(oddness);
  switch (scalar) {
    case ScalarType.STRING: {
      const text = isOdd ? oddText(random) : plausibleText(field, world, random);
      writer.tag(field.number, WireType.LengthDelimited).string(text);
      return;
    }
    case ScalarType.BYTES: {
      const length = isOdd ? random.pick(ODD_BYTES) : random.below(200);
      writer.tag(field.number, WireType.LengthDelimited).bytes(random.bytes(length));
      return;
    }
    case ScalarType.BOOL:
      writer
        .tag(field.number, WireType.Varint)
        .bool(field.name === "dry_run" || random.chance(0.5));
      return;
    case ScalarType.INT32:
      writer.tag(field.number, WireType.Varint).int32(isOdd ? int32(random) : random.below(20));
      return;
    case ScalarType.UINT32:
      writer.tag(field.number, WireType.Varint).uint32(isOdd ? uint32(random) : random.below(200));
      return;
    case ScalarType.INT64:
      writer.tag(field.number, WireType.Varint).int64(isOdd ? int64(random) : random.below(20));
      return;
    case ScalarType.UINT64:
      writer.tag(field.number, WireType.Varint).uint64(isOdd ? uint32(random) : random.below(20));
      return;
    default:
      throw new Error(`${field.name}: fields of scalar type ${scalar} are not fuzzed yet`);
  }
}
