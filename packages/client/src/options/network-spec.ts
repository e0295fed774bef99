import { type MessageInitShape, create } from "@bufbuild/protobuf";
import {
  type EgressRule,
  EgressRuleSchema,
  EndpointAuth,
  EndpointKind,
  type IngressRule,
  IngressRuleSchema,
  MAX_PORT,
  type NetworkOptions as NetworkMessage,
  NetworkOptionsSchema,
  type PortRange,
  PortRangeSchema,
  type Service,
  ServiceProtocol,
  ServiceSchema,
  TenantScope as WireTenantScope,
  Visibility,
} from "@tidybox/protocol";
import { checkInteger, checkText, checkTextMap, checkUnique } from "./checks.ts";
import { invalidOption } from "./invalid-option.ts";
import type {
  EgressOptions,
  IngressOptions,
  NetworkOptions,
  PortRangeOptions,
  ServiceOptions,
  TenantScope,
} from "./network-options.ts";

const TENANTS = {
  "same-user": WireTenantScope.SAME_USER,
  "same-org": WireTenantScope.SAME_ORG,
  "sandbox-network": WireTenantScope.SANDBOX_NETWORK,
} as const;
const PROTOCOLS = {
  tcp: ServiceProtocol.TCP,
  udp: ServiceProtocol.UDP,
  sctp: ServiceProtocol.SCTP,
} as const;
const VISIBILITIES = {
  public: Visibility.PUBLIC,
  private: Visibility.PRIVATE,
  custom: Visibility.CUSTOM,
} as const;

export function toNetwork(options: NetworkOptions): NetworkMessage {
  const { denyEgress, denyIngress, egress = [], ingress = [] } = options;
  if (denyEgress === true && egress.length > 0) {
    throw invalidOption("network.egress", "must be empty with network.denyEgress");
  }
  return create(NetworkOptionsSchema, {
    ...(denyEgress === undefined ? {} : { denyEgress }),
    ...(denyIngress === undefined ? {} : { denyIngress }),
    egress: egress.map((rule, index) => toEgressRule(rule, `network.egress[${index}]`)),
    ingress: ingress.map((rule, index) => toIngressRule(rule, `network.ingress[${index}]`)),
  });
}

function toEgressRule(rule: EgressOptions, option: string): EgressRule {
  return create(EgressRuleSchema, {
    ports: toPorts(rule.ports, option),
    destination: toDestination(rule, option),
  });
}

type Destination = Extract<
  MessageInitShape<typeof EgressRuleSchema>,
  { $typeName?: never }
>["destination"];
type Peer = Extract<MessageInitShape<typeof IngressRuleSchema>, { $typeName?: never }>["source"];

function toDestination(rule: EgressOptions, option: string): NonNullable<Destination> {
  if ("dnsName" in rule) {
    const name = rule.dnsName.toLowerCase();
    if (
      !/^(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(name) ||
      name.length > 253
    ) {
      throw invalidOption(
        `${option}.dnsName`,
        `must be a host name, "*." in front for one label, not ${JSON.stringify(rule.dnsName)}`,
      );
    }
    return { case: "dnsName", value: name };
  }
  if ("podLabels" in rule) {
    checkTextMap(rule.podLabels, `${option}.podLabels`);
    return {
      case: "selector",
      value: { podLabels: { ...rule.podLabels }, namespaceLabels: { ...rule.namespaceLabels } },
    };
  }
  return toPeer(rule, option);
}

function toIngressRule(rule: IngressOptions, option: string): IngressRule {
  return create(IngressRuleSchema, {
    ports: toPorts(rule.ports, option),
    source: toPeer(rule, option),
  });
}

/** What both directions can name. */
function toPeer(rule: IngressOptions, option: string): NonNullable<Peer> {
  if ("cidr" in rule) {
    checkText(rule.cidr, `${option}.cidr`);
    return { case: "cidr", value: { cidr: rule.cidr, except: [...(rule.except ?? [])] } };
  }
  if ("tenant" in rule) {
    const tenant: TenantScope = rule.tenant;
    if (!Object.hasOwn(TENANTS, tenant)) throw notOneOf(`${option}.tenant`, tenant, TENANTS);
    return { case: "tenant", value: TENANTS[tenant] };
  }
  if (rule.any !== true)
    throw invalidOption(option, "must name whom it is about: cidr, tenant, any, …");
  return { case: "any", value: true };
}

function toPorts(ports: readonly PortRangeOptions[] = [], option: string): PortRange[] {
  return ports.map(({ port, endPort, protocol }, index) => {
    checkInteger(port, `${option}.ports[${index}].port`, 1, MAX_PORT);
    if (endPort !== undefined)
      checkInteger(endPort, `${option}.ports[${index}].endPort`, port, MAX_PORT);
    return create(PortRangeSchema, { port, endPort: endPort ?? 0, protocol: protocol ?? "" });
  });
}

export function toServices(services: readonly ServiceOptions[]): Service[] {
  checkUnique(
    services.map(({ port }) => String(port)),
    "services (ports)",
  );
  return services.map((service, index) => toService(service, `services[${index}]`));
}

function toService(
  { port, name, protocol, visibility, endpoint }: ServiceOptions,
  option: string,
): Service {
  checkInteger(port, `${option}.port`, 1, MAX_PORT);
  if (name !== undefined) checkText(name, `${option}.name`);
  if (protocol !== undefined && !Object.hasOwn(PROTOCOLS, protocol)) {
    throw notOneOf(`${option}.protocol`, protocol, PROTOCOLS);
  }
  if (visibility !== undefined && !Object.hasOwn(VISIBILITIES, visibility)) {
    throw notOneOf(`${option}.visibility`, visibility, VISIBILITIES);
  }
  const message = create(ServiceSchema, {
    port,
    name: name ?? "",
    protocol: protocol === undefined ? ServiceProtocol.UNSPECIFIED : PROTOCOLS[protocol],
    visibility: visibility === undefined ? Visibility.UNSPECIFIED : VISIBILITIES[visibility],
  });
  if (endpoint === undefined) return message;
  if (endpoint.kind !== "https" || endpoint.auth !== "open") {
    throw invalidOption(`${option}.endpoint`, 'must be { kind: "https", auth: "open" }');
  }
  if (visibility !== "public" || (protocol !== undefined && protocol !== "tcp")) {
    throw invalidOption(`${option}.endpoint`, 'needs visibility "public" and protocol "tcp"');
  }
  message.endpoint = create(ServiceSchema, {
    endpoint: { kind: EndpointKind.HTTPS, auth: EndpointAuth.OPEN },
  }).endpoint;
  return message;
}

function notOneOf(option: string, value: unknown, choices: object): Error {
  return invalidOption(
    option,
    `must be one of ${Object.keys(choices).join(", ")}, not ${JSON.stringify(value)}`,
  );
}
