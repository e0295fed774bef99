import { BlockList, isIP } from "node:net";
import {
  type CidrBlock,
  type EgressRule,
  EndpointAuth,
  EndpointAuthSchema,
  EndpointKind,
  EndpointKindSchema,
  type IngressRule,
  MAX_PORT,
  type PortRange,
  type SandboxSpec,
  type Service,
  ServiceProtocol,
  ServiceProtocolSchema,
  TenantScope,
  TenantScopeSchema,
  Visibility,
  VisibilitySchema,
} from "@tidybox/protocol";
import type { Check } from "../failures.ts";

/** Exact, or `*.` for a single leftmost label. */
const DNS_NAME = /^(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;
const MAX_DNS_NAME_LENGTH = 253;
const HTTPS_PORT = 443;

/** What is wrong with services and rules of the network in themselves (reference 2.3, 3.11, 3.12). */
export function validateNetwork({ services, network }: SandboxSpec, check: Check): void {
  const ports = new Set(services.map(({ port }) => port));
  check(ports.size === services.length, "services", "must not declare a port twice");
  for (const [index, service] of services.entries())
    checkService(service, within(check, `services[${index}]`));
  check(
    !(network?.denyEgress === true && network.egress.length > 0),
    "network.egress",
    "must be empty when deny_egress is true",
  );
  for (const [index, rule] of (network?.egress ?? []).entries())
    checkEgress(rule, within(check, `network.egress[${index}]`));
  for (const [index, rule] of (network?.ingress ?? []).entries())
    checkIngress(rule, within(check, `network.ingress[${index}]`));
}

function within(check: Check, place: string): Check {
  return (valid, field, description) => check(valid, `${place}.${field}`, description);
}

function checkService({ port, protocol, visibility, endpoint }: Service, check: Check): void {
  check(port >= 1 && port <= MAX_PORT, "port", `must be between 1 and ${MAX_PORT}`);
  check(protocol in ServiceProtocolSchema.value, "protocol", `is unknown: ${protocol}`);
  check(visibility in VisibilitySchema.value, "visibility", `is unknown: ${visibility}`);
  if (endpoint === undefined) return;
  const { kind, auth } = endpoint;
  check(
    kind !== EndpointKind.UNSPECIFIED && kind in EndpointKindSchema.value,
    "endpoint.kind",
    "must be set",
  );
  check(auth in EndpointAuthSchema.value, "endpoint.auth", `is unknown: ${auth}`);
  if (kind !== EndpointKind.HTTPS) return;
  check(auth !== EndpointAuth.UNSPECIFIED, "endpoint.auth", "must be set for kind HTTPS");
  check(
    visibility === Visibility.PUBLIC,
    "visibility",
    "must be PUBLIC for an endpoint of kind HTTPS",
  );
  check(
    protocol === ServiceProtocol.UNSPECIFIED || protocol === ServiceProtocol.TCP,
    "protocol",
    "must be TCP, or unset, for an endpoint of kind HTTPS",
  );
}

function checkEgress({ destination, ports }: EgressRule, check: Check): void {
  checkPorts(ports, check);
  switch (destination.case) {
    case "dnsName": {
      const name = destination.value;
      check(
        name.length <= MAX_DNS_NAME_LENGTH && DNS_NAME.test(name),
        "dns_name",
        `must be a host name in small letters, "*." in front for one label: ${JSON.stringify(name)}`,
      );
      const onlyHttps = ports.every(
        ({ protocol, port, endPort }) =>
          ["", "TCP"].includes(protocol) &&
          port === HTTPS_PORT &&
          [0, HTTPS_PORT].includes(endPort),
      );
      check(onlyHttps, "ports", `of a dns_name can only be TCP ${HTTPS_PORT}`);
      return;
    }
    case "selector":
      return check(
        Object.keys(destination.value.podLabels).length > 0,
        "selector.pod_labels",
        "must have at least one label",
      );
    default:
      return checkPeer(destination, "destination", check);
  }
}

function checkIngress({ source, ports }: IngressRule, check: Check): void {
  checkPorts(ports, check);
  checkPeer(source, "source", check);
  const isNetwork = source.case === "tenant" && source.value === TenantScope.SANDBOX_NETWORK;
  check(!isNetwork, "tenant", "cannot be SANDBOX_NETWORK in an ingress rule");
}

/** What both directions can name. */
function checkPeer(peer: IngressRule["source"], name: string, check: Check): void {
  switch (peer.case) {
    case "cidr":
      return checkCidr(peer.value, check);
    case "tenant":
      return check(
        peer.value !== TenantScope.UNSPECIFIED && peer.value in TenantScopeSchema.value,
        "tenant",
        "must be set",
      );
    default:
      check(peer.value === true, name, "must be set");
  }
}

function checkCidr({ cidr, except }: CidrBlock, check: Check): void {
  check(isBlock(cidr), "cidr", `is no block of addresses such as 10.0.0.0/8: ${cidr}`);
  for (const block of except)
    check(isBlock(block), "cidr.except", `is no block of addresses such as 10.1.0.0/16: ${block}`);
}

function isBlock(text: string): boolean {
  const [, address = "", bits = ""] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  const version = isIP(address);
  if (version === 0) return false;
  try {
    new BlockList().addSubnet(address, Number(bits), version === 4 ? "ipv4" : "ipv6");
    return true;
  } catch {
    return false;
  }
}

function checkPorts(ports: readonly PortRange[], check: Check): void {
  for (const [index, { protocol, port, endPort }] of ports.entries()) {
    const field = `ports[${index}]`;
    check(
      ["", "TCP", "UDP", "SCTP"].includes(protocol),
      `${field}.protocol`,
      `must be TCP, UDP or SCTP: ${JSON.stringify(protocol)}`,
    );
    check(port >= 1 && port <= MAX_PORT, `${field}.port`, `must be between 1 and ${MAX_PORT}`);
    check(
      endPort === 0 || (endPort >= port && endPort <= MAX_PORT),
      `${field}.end_port`,
      `must be between port and ${MAX_PORT}`,
    );
  }
}
