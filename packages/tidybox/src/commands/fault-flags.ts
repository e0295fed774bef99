import type { FaultOptions } from "@tidybox/local";
import { type Command, Option } from "commander";
import { splitPair } from "./pairs.ts";

/** What goes wrong on purpose, as `serve` and `rehearse` are told. */
export interface FaultFlags {
  readonly latency?: string;
  readonly fail?: string;
  readonly dropAnswer?: string;
  readonly createRate?: string;
  readonly quota?: string;
  readonly seed?: string;
}

/** For the help of both commands. */
export const FAULT_KEYS_HELP = `
RPCs in these lists: create, get, list, delete, purge, exec, logs, read, write, snapshot (each with
its variants), all, or an RPC's own name such as StreamExec. The most exact one wins.`;

export function addFaultFlags(command: Command): Command {
  return command
    .addOption(
      list(
        "--latency <list>",
        "calls wait: create=2s,exec=50ms,get=10ms-200ms; start and stop are the sandboxes' own",
      ),
    )
    .addOption(
      list(
        "--fail <list>",
        "calls fail, undone: delete=0.1 (a tenth), create=3x:resource_exhausted (the first 3), get=internal; codes are unavailable (default), resource_exhausted, internal",
      ),
    )
    .addOption(
      list(
        "--drop-answer <list>",
        "the work is done and the connection cut: create=0.1, delete=1x",
      ),
    )
    .option("--create-rate <rate>", "most creates: 5/s, 30/min; more are refused for the moment")
    .option(
      "--quota <number>",
      "most sandboxes alive at once, starting and stopping ones included; more are refused",
    )
    .option("--seed <number>", "repeats what is drawn: the n-th call of an RPC meets the same");
}

/** What the service itself says of a wrong value names its option, which is called like the flag. */
export function faultOptions(flags: FaultFlags, command: Command): FaultOptions {
  const { latency, fail, dropAnswer, createRate, quota, seed } = flags;
  return {
    ...(latency !== undefined && { latency: pairs("--latency", latency, command) }),
    ...(fail !== undefined && { fail: pairs("--fail", fail, command) }),
    ...(dropAnswer !== undefined && {
      dropAnswer: pairs("--drop-answer", dropAnswer, command),
    }),
    ...(createRate !== undefined && { createRate }),
    ...(quota !== undefined && { quota: whole("--quota", quota, command) }),
    ...(seed !== undefined && { seed: whole("--seed", seed, command) }),
  };
}

/** Given several times, it is one list. */
function list(flags: string, description: string): Option {
  return new Option(flags, description).argParser((text: string, before: string | undefined) =>
    before === undefined ? text : `${before},${text}`,
  );
}

/** `a=1,b=2` */
function pairs(flag: string, text: string, command: Command): Record<string, string> {
  return Object.fromEntries(
    text.split(",").map((pair) => {
      const [key = "", value = ""] = splitPair(pair.trim());
      if (key !== "" && value !== "") return [key, value];
      return command.error(
        `error: ${flag} must be such as create=…,exec=…, not ${JSON.stringify(text)}`,
      );
    }),
  );
}

function whole(flag: string, text: string, command: Command): number {
  if (/^\d+$/.test(text)) return Number(text);
  return command.error(`error: ${flag} must be a whole number, not ${JSON.stringify(text)}`);
}
