import { readFileSync } from "node:fs";
import type { DescFile, DescMessage } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { file_coreweave_sandbox_v1_discovery } from "./gen/coreweave/sandbox/v1/discovery_pb.ts";
import { file_coreweave_sandbox_v1_sandbox } from "./gen/coreweave/sandbox/v1/sandbox_pb.ts";
import { file_coreweave_sandbox_v1_settings } from "./gen/coreweave/sandbox/v1/settings_pb.ts";
import { file_google_rpc_error_details } from "./gen/google/rpc/error_details_pb.ts";
import * as publicNames from "./index.ts";

const files: readonly DescFile[] = [
  file_coreweave_sandbox_v1_sandbox,
  file_coreweave_sandbox_v1_discovery,
  file_coreweave_sandbox_v1_settings,
  file_google_rpc_error_details,
];

function withNested(messages: readonly DescMessage[]): DescMessage[] {
  return messages.flatMap((message) => [message, ...withNested(message.nestedMessages)]);
}

const messages = files.flatMap((file) => withNested(file.messages));
const enums = files.flatMap((file) => [
  ...file.enums,
  ...withNested(file.messages).flatMap((message) => message.nestedEnums),
]);

/** `ExecStreamOutput.Stream` becomes `ExecStreamOutput_Stream` in generated code. */
function generatedName(desc: { readonly typeName: string; readonly file: DescFile }): string {
  return desc.typeName.slice(desc.file.proto.package.length + 1).replaceAll(".", "_");
}

test("exports the schema of every message and enum, and every service", () => {
  const descriptors = [...messages, ...enums, ...files.flatMap((file) => file.services)];
  const exported = new Set<unknown>(Object.values(publicNames));
  expect(descriptors.filter((d) => !exported.has(d)).map((d) => d.typeName)).toEqual([]);
});

test("exports the type of every message and the values of every enum", () => {
  const source = readFileSync(new URL("index.ts", import.meta.url), "utf8");
  const missing = messages.map(generatedName).filter((name) => !source.includes(`  type ${name},`));
  expect(missing).toEqual([]);
  for (const name of enums.map(generatedName)) {
    expect(publicNames).toHaveProperty([name, "UNSPECIFIED"], 0);
  }
});
