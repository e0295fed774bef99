import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import {
  type EgressRuleSchema,
  EndpointAuth,
  EndpointKind,
  ErrorReason,
  type IngressRuleSchema,
  type NetworkOptionsSchema,
  ServiceProtocol,
  type ServiceSchema,
  TenantScope,
  Visibility,
} from "@tidybox/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  createRunning,
  type Refusal,
  refusalOf,
  specOf,
  startTestService,
  type TestService,
} from "../../testing/test-service.ts";

type Services = readonly MessageInitShape<typeof ServiceSchema>[];
type Network = MessageInitShape<typeof NetworkOptionsSchema>;
type Egress = MessageInitShape<typeof EgressRuleSchema>;
type Ingress = MessageInitShape<typeof IngressRuleSchema>;

const ANY = { case: "any", value: true } as const;
const { PUBLIC, PRIVATE, CUSTOM } = Visibility;
const { HTTPS, TLS_PASSTHROUGH } = EndpointKind;
const { OPEN, TOKEN } = EndpointAuth;

const cidr = (block: string, ...except: string[]) =>
  ({ case: "cidr", value: { cidr: block, except } }) as const;
const tenant = (value: TenantScope) => ({ case: "tenant", value }) as const;
const dnsName = (value: string) => ({ case: "dnsName", value }) as const;
const selector = (podLabels: Record<string, string>) =>
  ({ case: "selector", value: { podLabels } }) as const;

/** What the answer says, and what was asked for. */
type Case = readonly [string, Network | undefined, Services?];

const named = (cases: readonly Case[]) =>
  cases.map(([what, network, services = []]) => ({ what, network, services }));

let service: TestService;
beforeAll(async () => {
  service = await startTestService({ engine: "bubblewrap" });
});
afterAll(() => service.close());

function refuse(network: Network | undefined, services: Services = []): Promise<Refusal> {
  const rest = { services: [...services], ...(network && { network }) };
  return refusalOf(service.client.createSandbox({ sandbox: { spec: specOf({}, rest) } }));
}

const egress = (...rules: Egress[]): Network => ({ egress: rules });
const ingress = (...rules: Ingress[]): Network => ({ ingress: rules });

const unsupported: readonly Case[] = [
  ["egress rules by", egress({ destination: cidr("10.0.0.0/8") })],
  ["egress rules by", egress({ destination: dnsName("*.example.com") })],
  ["egress rules by", egress({ destination: tenant(TenantScope.SAME_ORG) })],
  ["egress rules by", egress({ destination: selector({ app: "db" }) })],
  ["egress rules by", egress({ destination: ANY, ports: [{ port: 443 }] })],
  ["egress rules by", egress({ destination: ANY }, { destination: cidr("::/0") })],
  ["ingress rules by", ingress({ source: cidr("10.0.0.0/8") })],
  ["ingress rules by", ingress({ source: tenant(TenantScope.SAME_USER) })],
  ["egress of a sandbox with services", egress({ destination: ANY }), [{ port: 80 }]],
  ["egress of a sandbox with services", { denyEgress: false }, [{ port: 80 }]],
  [
    "protocols other than TCP",
    undefined,
    [{ port: 53, protocol: ServiceProtocol.UDP, visibility: CUSTOM }],
  ],
  ["TLS_PASSTHROUGH", undefined, [{ port: 1, endpoint: { kind: TLS_PASSTHROUGH } }]],
  ["TOKEN", undefined, [{ port: 1, visibility: PUBLIC, endpoint: { kind: HTTPS, auth: TOKEN } }]],
  [
    "PRIVATE and PUBLIC",
    undefined,
    [
      { port: 1, visibility: PUBLIC },
      { port: 2, visibility: PRIVATE },
    ],
  ],
  [
    "endpoints beside",
    undefined,
    [
      { port: 1, visibility: PUBLIC, endpoint: { kind: HTTPS, auth: OPEN } },
      { port: 2, visibility: PUBLIC },
    ],
  ],
];

test.each(named(unsupported))(
  "what cannot be done here is refused: $what",
  async ({ what, network, services }) => {
    expect(await refuse(network, services)).toMatchObject({
      code: Code.Unimplemented,
      reason: ErrorReason.NOT_IMPLEMENTED,
      message: expect.stringContaining(what),
    });
  },
);

const invalid: readonly Case[] = [
  ["network.egress:", { denyEgress: true, egress: [{ destination: ANY }] }],
  ["network.egress[0].destination", egress({})],
  ["network.egress[0].destination", egress({ destination: { case: "any", value: false } })],
  ["network.egress[0].cidr:", egress({ destination: cidr("10.0.0.0") })],
  ["network.egress[0].cidr:", egress({ destination: cidr("10.0.0.0/33") })],
  ["network.egress[0].cidr:", egress({ destination: cidr("host/8") })],
  ["network.egress[0].cidr.except:", egress({ destination: cidr("::/0", "::1/129") })],
  ["network.egress[0].tenant", egress({ destination: tenant(TenantScope.UNSPECIFIED) })],
  ["network.egress[0].tenant", egress({ destination: tenant(99 as TenantScope) })],
  ["network.egress[0].dns_name", egress({ destination: dnsName("*") })],
  ["network.egress[0].dns_name", egress({ destination: dnsName("a.*.com") })],
  ["network.egress[0].dns_name", egress({ destination: dnsName("Example.com") })],
  [
    "network.egress[0].ports",
    egress({ destination: dnsName("example.com"), ports: [{ port: 80 }] }),
  ],
  ["network.egress[0].selector.pod_labels", egress({ destination: selector({}) })],
  ["network.egress[0].ports[0].port", egress({ destination: ANY, ports: [{ port: 0 }] })],
  [
    "network.egress[0].ports[0].end_port",
    egress({ destination: ANY, ports: [{ port: 9, endPort: 8 }] }),
  ],
  [
    "network.egress[0].ports[0].protocol",
    egress({ destination: ANY, ports: [{ port: 9, protocol: "tcp" }] }),
  ],
  ["network.ingress[0].source", { denyIngress: true, ingress: [{}] }],
  ["network.ingress[0].tenant", ingress({ source: tenant(TenantScope.SANDBOX_NETWORK) })],
  ["services[0].port", undefined, [{ port: 65_536 }]],
  ["services: must not declare", undefined, [{ port: 1 }, { port: 1 }]],
  ["services[0].visibility", undefined, [{ port: 1, visibility: 9 as Visibility }]],
  ["services[0].protocol", undefined, [{ port: 1, protocol: 9 as ServiceProtocol }]],
  ["services[0].endpoint.kind", undefined, [{ port: 1, endpoint: { auth: OPEN } }]],
  [
    "services[0].endpoint.auth",
    undefined,
    [{ port: 1, visibility: PUBLIC, endpoint: { kind: HTTPS } }],
  ],
  [
    "services[0].visibility",
    undefined,
    [{ port: 1, visibility: PRIVATE, endpoint: { kind: HTTPS, auth: OPEN } }],
  ],
  [
    "services[0].protocol",
    undefined,
    [
      {
        port: 1,
        visibility: PUBLIC,
        protocol: ServiceProtocol.UDP,
        endpoint: { kind: HTTPS, auth: OPEN },
      },
    ],
  ],
];

test.each(named(invalid))(
  "what is wrong in itself is invalid: $what",
  async ({ what, network, services }) => {
    expect(await refuse(network, services)).toMatchObject({
      code: Code.InvalidArgument,
      reason: ErrorReason.INVALID_ARGUMENT,
      message: expect.stringContaining(`sandbox.spec.${what}`),
    });
  },
);

describe("the rules in force", () => {
  const effective = async (network: Network | undefined) => {
    const sandboxId = await createRunning(service.client, specOf({}, network && { network }));
    const { status } = await service.client.getSandbox({ sandboxId });
    await service.client.deleteSandbox({ sandboxId });
    return status;
  };

  test("of a sandbox without any are those of this machine: everything is allowed out", async () => {
    expect(await effective(undefined)).toMatchObject({
      effectiveEgress: [{ destination: ANY }],
      effectiveIngress: [],
    });
    expect(await effective({ denyEgress: false })).toMatchObject({
      effectiveEgress: [{ destination: ANY }],
    });
  });

  test("are none where egress is denied, and the given ones where all of it is allowed", async () => {
    expect(await effective({ denyEgress: true })).toMatchObject({ effectiveEgress: [] });
    expect(await effective(egress({ destination: ANY }))).toMatchObject({
      effectiveEgress: [{ destination: ANY }],
    });
  });

  test("do not include those for ports that are closed anyway", async () => {
    const rules = { denyIngress: true, ingress: [{ source: cidr("10.0.0.0/8") }] };
    expect(await effective(rules)).toMatchObject({ effectiveIngress: [] });
  });
});

test("the engine process refuses services: it has no network but the host's", async () => {
  const weaker = await startTestService({ engine: "process" });
  try {
    const spec = specOf({}, { services: [{ port: 80 }], network: { denyEgress: true } });
    expect(await refusalOf(weaker.client.createSandbox({ sandbox: { spec } }))).toMatchObject({
      code: Code.FailedPrecondition,
      reason: ErrorReason.NO_SUITABLE_RUNNER,
      message: expect.stringContaining("services"),
    });
  } finally {
    await weaker.close();
  }
});
