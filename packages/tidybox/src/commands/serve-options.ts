import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { LocalServiceOptions } from "@tidybox/local";
import type { Command } from "commander";
import { splitPair } from "./pairs.ts";

export interface ResourceFlags {
  readonly engine: NonNullable<LocalServiceOptions["engine"]>;
  readonly image?: readonly string[];
  readonly data?: string;
  readonly template?: readonly string[];
  readonly volume?: readonly string[];
  readonly secrets?: string;
}

export function resourceOptions(
  { engine, image = [], data, template = [], volume = [], secrets }: ResourceFlags,
  command: Command,
): Pick<LocalServiceOptions, "images" | "dataFolder" | "templates" | "volumes" | "secretsFile"> {
  return {
    ...(image.length > 0 && {
      images: Object.fromEntries(image.map((text) => imageOf(text, engine, command))),
    }),
    ...(data !== undefined && { dataFolder: resolve(data) }),
    ...(secrets !== undefined && { secretsFile: resolve(secrets) }),
    ...(template.length > 0 && {
      templates: Object.fromEntries(template.map((text) => templateOf(text, command))),
    }),
    ...(volume.length > 0 && { volumes: Object.fromEntries(volume.map(volumeOf)) }),
  };
}

/** `name=root`: a directory, or with Docker another image's name. */
function imageOf(
  text: string,
  engine: ResourceFlags["engine"],
  command: Command,
): readonly [string, string] {
  const [name = "", root = ""] = splitPair(text);
  if (name === "" || root === "")
    return command.error(`error: --image must be name=root, not ${JSON.stringify(text)}`);
  return [name, engine === "docker" ? root : resolve(root)];
}

function templateOf(text: string, command: Command): readonly [string, unknown] {
  const [id = "", file = ""] = splitPair(text);
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
  const [id = "", target] = splitPair(text);
  if (target === undefined) return [id, {}];
  const readOnly = target.endsWith(":ro");
  return [id, { folder: resolve(readOnly ? target.slice(0, -3) : target), readOnly }];
}
