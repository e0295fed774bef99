import type { DescMessage } from "@bufbuild/protobuf";
import {
  DiscoveryService,
  SandboxService,
  SettingsService,
  UNDESCRIBED_RPCS,
} from "@tidybox/protocol";

/** One RPC of the port. */
export interface Rpc {
  /** `/coreweave.sandbox.v1.SandboxService/GetSandbox` */
  readonly path: string;
  /** `SandboxService/GetSandbox` */
  readonly name: string;
  readonly streams: "unary" | "server" | "both";
  /** Undefined where its messages are not published: any bytes are a message of it. */
  readonly input: DescMessage | undefined;
}

const STREAMS = { unary: "unary", server_streaming: "server", bidi_streaming: "both" } as const;

/** Every RPC that the service answers, the described ones first. */
export const RPCS: readonly Rpc[] = [...describedRpcs(), ...undescribedRpcs()];

function describedRpcs(): readonly Rpc[] {
  return [SandboxService, DiscoveryService, SettingsService].flatMap((service) =>
    service.methods.map(({ name, methodKind, input }) => {
      if (methodKind === "client_streaming") throw new Error(`${name}: no such kind is fuzzed`);
      const path = `/${service.typeName}/${name}`;
      return { path, name: `${service.name}/${name}`, streams: STREAMS[methodKind], input };
    }),
  );
}

function undescribedRpcs(): readonly Rpc[] {
  return Object.entries(UNDESCRIBED_RPCS).flatMap(([service, rpcs]) =>
    rpcs.map((rpc) => ({
      path: `/coreweave.sandbox.v1.${service}/${rpc}`,
      name: `${service}/${rpc}`,
      streams: "unary" as const,
      input: undefined,
    })),
  );
}
