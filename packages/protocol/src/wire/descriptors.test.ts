import { ScalarType, type DescEnum, type DescField, type DescMessage } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { file_coreweave_sandbox_v1_discovery as discovery } from "../gen/coreweave/sandbox/v1/discovery_pb.ts";
import {
  SandboxService,
  file_coreweave_sandbox_v1_sandbox as sandbox,
} from "../gen/coreweave/sandbox/v1/sandbox_pb.ts";
import { file_coreweave_sandbox_v1_settings as settings } from "../gen/coreweave/sandbox/v1/settings_pb.ts";
import { UNDESCRIBED_RPCS } from "./undescribed-rpcs.ts";
import * as reference from "./reference-tables.test-data.ts";

/** Blocks of a table by the name in their first line; a name twice is a broken table. */
function blocks(table: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  let lines: string[] = [];
  for (const line of table.trim().split("\n")) {
    if (line.startsWith("  ")) {
      lines.push(line.trim());
    } else {
      if (found.has(line)) throw new Error(`${line} is twice in the reference tables`);
      found.set(line, (lines = []));
    }
  }
  return found;
}

/** Name inside the package, as the reference writes it; in full from other packages. */
function shortName(typeName: string): string {
  return typeName.replace(/^coreweave\.sandbox\.v1\./, "");
}

function scalarName(scalar: ScalarType): string {
  return (ScalarType[scalar] ?? `unknown scalar ${String(scalar)}`).toLowerCase();
}

function typeOf(field: DescField): string {
  if (field.fieldKind === "map") {
    if (field.mapKind !== "scalar") throw new Error(`${field.name}: a map that nobody expected`);
    return `map<${scalarName(field.mapKey)},${scalarName(field.scalar)}>`;
  }
  if (field.message) return shortName(field.message.typeName);
  if (field.enum) return shortName(field.enum.typeName);
  return scalarName(field.scalar);
}

/** A compiled field in the notation of the reference tables. */
function describeField(field: DescField): string {
  // proto3 spells `optional` as a oneof of its own in the descriptor.
  const optional = field.proto.proto3Optional ? "optional " : "";
  const repeated = field.fieldKind === "list" ? "repeated " : "";
  const group = field.oneof ? ` oneof ${field.oneof.name}` : "";
  return `${field.name} ${field.number} ${optional}${repeated}${typeOf(field)}${group}`;
}

function describeMessages(messages: readonly DescMessage[]): Map<string, string[]> {
  return new Map(messages.map((m) => [shortName(m.typeName), m.fields.map(describeField)]));
}

function describeEnums(enums: readonly DescEnum[]): Map<string, string[]> {
  return new Map(
    enums.map((e) => [shortName(e.typeName), e.values.map((v) => `${v.name} ${v.number}`)]),
  );
}

function withNested(messages: readonly DescMessage[]): DescMessage[] {
  return messages.flatMap((m) => [m, ...withNested(m.nestedMessages)]);
}

function allEnums(file: typeof sandbox): DescEnum[] {
  return [...file.enums, ...withNested(file.messages).flatMap((m) => m.nestedEnums)];
}

function numberOf(line: string): number {
  return Number(line.split(" ")[1]);
}

/** By number: a .proto file may group its fields otherwise than the reference. */
function byNumber(table: Map<string, string[]>): Record<string, string[]> {
  return Object.fromEntries(
    [...table].map(([name, lines]) => [name, lines.toSorted((a, b) => numberOf(a) - numberOf(b))]),
  );
}

test("has the reference's 64 messages, field by field", () => {
  const compiled = describeMessages(withNested(sandbox.messages));
  expect(compiled.size).toBe(64);
  expect(byNumber(compiled)).toEqual(byNumber(blocks(reference.sandboxMessages)));
});

test("has the reference's 12 enums, value by value", () => {
  const compiled = describeEnums(allEnums(sandbox));
  expect(compiled.size).toBe(12);
  expect(byNumber(compiled)).toEqual(byNumber(blocks(reference.sandboxEnums)));
});

test("has the reference's 15 RPCs with their kinds, requests and responses", () => {
  const kinds = {
    unary: "unary",
    server_streaming: "server stream",
    client_streaming: "client stream",
    bidi_streaming: "bidi stream",
  };
  const compiled = SandboxService.methods.map((method) =>
    [
      method.name,
      kinds[method.methodKind],
      shortName(method.input.typeName),
      shortName(method.output.typeName),
    ].join(", "),
  );
  expect(compiled).toHaveLength(15);
  expect(compiled).toEqual(reference.sandboxRpcs.trim().split("\n"));
});

test("has the messages and enums of the discovery and settings services", () => {
  const messages = describeMessages(withNested([...discovery.messages, ...settings.messages]));
  const enums = describeEnums([...allEnums(discovery), ...allEnums(settings)]);
  expect(byNumber(messages)).toEqual(byNumber(blocks(reference.otherMessages)));
  expect(byNumber(enums)).toEqual(byNumber(blocks(reference.otherEnums)));
});

test("names the services and their RPCs as they are called on the wire", () => {
  const paths = [sandbox, discovery, settings].flatMap((file) =>
    file.services.flatMap((s) => s.methods.map((m) => `/${s.typeName}/${m.name}`)),
  );
  expect(paths).toHaveLength(15 + 2 + 2);
  expect(paths).toContain("/coreweave.sandbox.v1.SandboxService/StreamExec");
  expect(paths.slice(15)).toEqual([
    "/coreweave.sandbox.v1.DiscoveryService/ListAvailableRunners",
    "/coreweave.sandbox.v1.DiscoveryService/GetAvailableRunner",
    "/coreweave.sandbox.v1.SettingsService/GetFileSystemSnapshotBucketConfig",
    "/coreweave.sandbox.v1.SettingsService/UpdateFileSystemSnapshotBucketConfig",
  ]);
});

test("knows every RPC of the other services, by its messages or at least by its name", () => {
  const known = new Map<string, string[]>(
    [...discovery.services, ...settings.services].map(({ name, methods }) => [
      name,
      methods.map((method) => method.name),
    ]),
  );
  for (const [service, rpcs] of Object.entries(UNDESCRIBED_RPCS)) {
    known.set(service, [...(known.get(service) ?? []), ...rpcs]);
  }
  const sorted = (services: Map<string, string[]>) =>
    new Map([...services].map(([name, rpcs]) => [name, rpcs.toSorted()]));
  expect(sorted(known)).toEqual(sorted(blocks(reference.otherRpcs)));
});
