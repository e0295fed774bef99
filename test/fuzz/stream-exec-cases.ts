import { create, toBinary } from "@bufbuild/protobuf";
import { type ExecStreamRequest, ExecStreamRequestSchema } from "@tidybox/protocol";
import { framed } from "./framing.ts";
import { mutated } from "./mutations.ts";
import type { Random } from "./random.ts";
import { COMMANDS, oddText, uint32, type World } from "./values.ts";

type Message = ExecStreamRequest["message"];

/** Messages of a StreamExec in any order: input before the command, two commands, after the end. */
export function disorderedStream(world: World, random: Random): readonly Uint8Array[] {
  const count = 1 + random.below(6);
  return Array.from({ length: count }, () => {
    const bytes = toBinary(ExecStreamRequestSchema, anyMessage(world, random));
    return framed(random.chance(0.05) ? mutated(bytes, random) : bytes);
  });
}

function anyMessage(world: World, random: Random): ExecStreamRequest {
  const message = (value: Message): ExecStreamRequest =>
    create(ExecStreamRequestSchema, { message: value });
  switch (random.pick(["init", "init", "stdin", "resize", "close", "none"] as const)) {
    case "init":
      return create(ExecStreamRequestSchema, {
        message: {
          case: "init",
          value: {
            sandboxId: random.chance(0.9) ? random.pick(world.sandboxIds) : oddText(random),
            command: [...random.pick(COMMANDS)],
            tty: random.chance(0.1),
            ttyWidth: uint32(random),
            ttyHeight: uint32(random),
          },
        },
      });
    case "stdin":
      return message({ case: "stdin", value: random.bytes(random.pick([0, 1, 1000])) });
    case "resize":
      return create(ExecStreamRequestSchema, {
        message: { case: "resize", value: { width: uint32(random), height: uint32(random) } },
      });
    case "close":
      return create(ExecStreamRequestSchema, { message: { case: "close", value: {} } });
    case "none":
      return message({ case: undefined });
  }
}
