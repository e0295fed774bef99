import { Code } from "@connectrpc/connect";
import {
  EndpointAuth,
  EndpointKind,
  ErrorReason,
  type Service,
  ServiceProtocol,
  Visibility,
} from "@tidybox/protocol";
import type { SpecInit } from "../../../packages/local/src/testing/test-service.ts";
import { section } from "../contract.ts";
import { refuses } from "../refusals.ts";

const { PUBLIC, PRIVATE, CUSTOM } = Visibility;
const HTTPS_OPEN = { kind: EndpointKind.HTTPS, auth: EndpointAuth.OPEN };
const NOT_IMPLEMENTED = { code: Code.Unimplemented, reason: ErrorReason.NOT_IMPLEMENTED };
const INVALID = { code: Code.InvalidArgument, reason: ErrorReason.INVALID_ARGUMENT };

type Services = NonNullable<SpecInit["services"]>;

const withServices = (...services: Services): SpecInit => ({ services });

/** What ports and their endpoints cannot be. */
export const endpoints = section("3.11", (says) => {
  const endpoint = (service: Partial<Pick<Service, "visibility" | "protocol">>) =>
    refuses({}, withServices({ port: 1, visibility: PUBLIC, endpoint: HTTPS_OPEN, ...service }), {
      ...INVALID,
      field: `services[0].${Object.keys(service)[0]}`,
    });
  says("an HTTPS endpoint needs the visibility PUBLIC", endpoint({ visibility: PRIVATE }));
  says(
    "an HTTPS endpoint needs the protocol TCP, or none",
    endpoint({ protocol: ServiceProtocol.UDP }),
  );
  says(
    "an HTTPS endpoint needs an auth",
    refuses(
      {},
      withServices({ port: 1, visibility: PUBLIC, endpoint: { kind: EndpointKind.HTTPS } }),
      { ...INVALID, field: "services[0].endpoint.auth" },
    ),
  );
  says(
    "an endpoint needs a kind",
    refuses({}, withServices({ port: 1, visibility: PUBLIC, endpoint: {} }), {
      ...INVALID,
      field: "services[0].endpoint.kind",
    }),
  );
  says(
    "auth TOKEN is not available, and refused",
    refuses(
      {},
      withServices({
        ...{ port: 1, visibility: PUBLIC },
        endpoint: { kind: EndpointKind.HTTPS, auth: EndpointAuth.TOKEN },
      }),
      { ...NOT_IMPLEMENTED, field: "services[0].endpoint.auth" },
    ),
  );
  says(
    "kind TLS_PASSTHROUGH is not available, and refused",
    refuses(
      {},
      withServices({
        port: 1,
        visibility: PUBLIC,
        endpoint: { kind: EndpointKind.TLS_PASSTHROUGH },
      }),
      { ...NOT_IMPLEMENTED, field: "services[0].endpoint.kind" },
    ),
  );
  says(
    "PRIVATE and PUBLIC ports in one sandbox are refused",
    refuses({}, withServices({ port: 1, visibility: PUBLIC }, { port: 2, visibility: PRIVATE }), {
      ...NOT_IMPLEMENTED,
      field: "services",
    }),
  );
  says(
    "a PUBLIC or PRIVATE port without an endpoint beside one with an endpoint is refused",
    refuses(
      {},
      withServices(
        { port: 1, visibility: PUBLIC, endpoint: HTTPS_OPEN },
        { port: 2, visibility: PUBLIC },
      ),
      { ...NOT_IMPLEMENTED, field: "services[1].visibility" },
    ),
  );
  says(
    "(our choice) a reachable port of another protocol than TCP is refused",
    refuses({}, withServices({ port: 53, visibility: CUSTOM, protocol: ServiceProtocol.UDP }), {
      ...NOT_IMPLEMENTED,
      field: "services[0].protocol",
    }),
  );
});
