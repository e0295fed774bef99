import {
  clone,
  equals,
  fromBinary,
  fromJson,
  type JsonValue,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  type PartialSandboxSpec,
  PartialSandboxSpecSchema,
  type SandboxSpec,
  SandboxSpecSchema,
} from "@tidybox/protocol";
import * as v from "valibot";
import { LocalServiceError } from "../../error.ts";
import { invalidArgument, shortened } from "../failures.ts";
import { RESOURCE_ID } from "./resource-id.ts";
import type { RecordFolder } from "./record-folder.ts";

export interface Template {
  readonly id: string;
  /** Counts the changes of its spec, from 1. */
  readonly revision: number;
  readonly spec: PartialSandboxSpec;
}

const RecordSchema = v.object({
  revision: v.pipe(v.number(), v.integer(), v.minValue(1)),
  spec: v.record(v.string(), v.unknown()),
});

/** The templates of a service, in memory and, where it is given a folder, on disk. */
export class Templates {
  readonly #templates = new Map<string, Template>();
  readonly #records: RecordFolder | undefined;

  constructor(records: RecordFolder | undefined) {
    this.#records = records;
    for (const template of records?.load(readRecord) ?? [])
      this.#templates.set(template.id, template);
  }

  /** Makes or changes one; the same spec again changes nothing. Throws LocalServiceError. */
  put(id: string, json: unknown): Template {
    if (!RESOURCE_ID.test(id)) throw wrong(id, "must be named by 1 to 63 of A-Z a-z 0-9 . _ -");
    let spec: PartialSandboxSpec;
    try {
      spec = fromJson(PartialSandboxSpecSchema, json as JsonValue);
    } catch (error) {
      throw wrong(id, `is no sandbox spec: ${error instanceof Error ? error.message : ""}`);
    }
    const before = this.#templates.get(id);
    if (before !== undefined && equals(PartialSandboxSpecSchema, before.spec, spec)) return before;
    const template = { id, revision: (before?.revision ?? 0) + 1, spec };
    this.#records?.write(id, {
      revision: template.revision,
      spec: toJson(PartialSandboxSpecSchema, spec),
    });
    this.#templates.set(id, template);
    return template;
  }

  /** Throws NOT_FOUND. The reference names no reason for it. */
  get(id: string): Template {
    const template = this.#templates.get(id);
    if (template !== undefined) return template;
    const known = [...this.#templates.keys()];
    const there = known.length === 0 ? "there are none" : `there are ${known.join(", ")}`;
    throw new ConnectError(
      `there is no template ${JSON.stringify(shortened(id))} on this local service: ${there}. Give it one with the option \`templates\` (\`tidybox serve --template\`).`,
      Code.NotFound,
    );
  }
}

/**
 * What comes out of a template and overrides: what is set in the overrides takes the template's
 * place, whole; everything else is kept (reference 3.16).
 */
export function mergeTemplate(
  template: PartialSandboxSpec,
  overrides: PartialSandboxSpec | undefined,
): SandboxSpec {
  const merged = clone(PartialSandboxSpecSchema, template);
  if (overrides !== undefined) {
    checkNotSparse(overrides);
    const target = reflect(PartialSandboxSpecSchema, merged);
    const source = reflect(PartialSandboxSpecSchema, overrides);
    for (const field of PartialSandboxSpecSchema.fields)
      if (source.isSet(field)) target.set(field, source.get(field));
  }
  return asWhole(merged);
}

/** A partial spec has the fields and numbers of a whole one. */
export function asWhole(partial: PartialSandboxSpec): SandboxSpec {
  return fromBinary(SandboxSpecSchema, toBinary(PartialSandboxSpecSchema, partial));
}

function checkNotSparse(overrides: PartialSandboxSpec): void {
  const lists = { containers: overrides.containers, init_containers: overrides.initContainers };
  for (const [name, containers] of Object.entries(lists)) {
    for (const [index, container] of containers.entries()) {
      if (container.name !== "" && container.image !== "") continue;
      const description =
        "must be a whole container with name and image: the list takes the place of the template's";
      throw invalidArgument([{ field: `overrides.${name}[${index}]`, description }]);
    }
  }
}

function readRecord(id: string, value: unknown): Template {
  const { revision, spec } = v.parse(RecordSchema, value);
  return { id, revision, spec: fromJson(PartialSandboxSpecSchema, spec as JsonValue) };
}

function wrong(id: string, what: string): LocalServiceError {
  return new LocalServiceError(
    "local_option_invalid",
    `local service: option templates: ${JSON.stringify(id)} ${what}`,
  );
}
