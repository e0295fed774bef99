import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { LocalServiceOptions } from "@tidybox/local";
import type { Command } from "commander";

export interface FaultFlags {
  readonly latency?: string;
  readonly fail?: string;
  readonly lose?: string;
  readonly createRate?: string;
  readonly seed?: string;
}

export interface ResourceFlags {
  readonly data?: string;
  readonly template?: readonly string[];
  readonly volume?: readonly string[];
  readonly secrets?: string;
}

/** What the service itself says of a wrong value names its option, which is called like the flag. */
export function faultOptions(
  flags: FaultFlags,
  command: Command,
): Pick<LocalServiceOptions, "faults"> {
  const { latency, fail, lose, createRate, seed } = flags;
  const faults = {
    ...(latency !== undefined && { latency: pairs("--latency", latency, command) }),
    ...(fail !== undefined && { fail: pairs("--fail", fail, command) }),
    ...(lose !== undefined && { lose: pairs("--lose", lose, command) }),
    ...(createRate !== undefined && { createRate }),
    ...(seed !== undefined && { seed: seedOf(seed, command) }),
  };
  return Object.keys(faults).length === 0 ? {} : { faults };
}

export function resourceOptions(
  { data, template = [], volume = [], secrets }: ResourceFlags,
  command: Command,
): Pick<LocalServiceOptions, "dataFolder" | "templates" | "volumes" | "secretsFile"> {
  return {
    ...(data !== undefined && { dataFolder: resolve(data) }),
    ...(secrets !== undefined && { secretsFile: resolve(secrets) }),
    ...(template.length > 0 && {
      templates: Object.fromEntries(template.map((text) => templateOf(text, command))),
    }),
    ...(volume.length > 0 && { volumes: Object.fromEntries(volume.map(volumeOf)) }),
  };
}

/** `a=1,b=2` */
function pairs(flag: string, text: string, command: Command): Record<string, string> {
  return Object.fromEntries(
    text.split(",").map((pair) => {
      const [key = "", value = ""] = split(pair.trim());
      if (key !== "" && value !== "") return [key, value];
      return command.error(
        `error: ${flag} must be such as create=…,exec=…, not ${JSON.stringify(text)}`,
      );
    }),
  );
}

function seedOf(text: string, command: Command): number {
  if (/^\d+$/.test(text)) return Number(text);
  return command.error(`error: --seed must be a whole number, not ${JSON.stringify(text)}`);
}

function templateOf(text: string, command: Command): readonly [string, unknown] {
  const [id = "", file = ""] = split(text);
  if (id === "" || file === "")
    return command.error(`error: --template must be id=file, not ${JSON.stringify(text)}`);
  try {
    return [id, JSON.parse(readFileSync(file, "utf8"))];
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return command.error(`error: --template ${id}: ${file} cannot be read as JSON: ${why}`);
  }
}

/** `id`, `id=folder`, `id=folder:ro` */
function volumeOf(
  text: string,
): readonly [string, { readonly folder?: string; readonly readOnly?: boolean }] {
  const [id = "", target] = split(text);
  if (target === undefined) return [id, {}];
  const readOnly = target.endsWith(":ro");
  return [id, { folder: resolve(readOnly ? target.slice(0, -3) : target), readOnly }];
}

function split(text: string): readonly [string] | readonly [string, string] {
  const at = text.indexOf("=");
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
