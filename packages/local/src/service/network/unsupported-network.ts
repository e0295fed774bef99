import {
  type EgressRule,
  EndpointAuth,
  EndpointKind,
  type SandboxSpec,
  type Service,
  ServiceProtocol,
  Visibility,
} from "@tidybox/protocol";

/** What services and rules ask for that this machine cannot give, in words (see unsupported()). */
export function unsupportedNetwork(
  { services, network }: SandboxSpec,
  servicesHaveEgress: boolean,
): readonly (string | false | undefined)[] {
  const { egress = [], ingress = [], denyEgress, denyIngress } = network ?? {};
  const has = (visibility: Visibility): boolean =>
    services.some((service) => service.visibility === visibility);
  const wantsEgress = denyEgress === false || egress.length > 0;
  return [
    egress.some((rule) => !allowsAll(rule)) &&
      "egress rules by address, name, tenant, selector or port (it has all of the network, `any`, or with deny_egress nothing)",
    services.length > 0 &&
      wantsEgress &&
      !servicesHaveEgress &&
      "egress of a sandbox with services (its network is its own, and leads nowhere; set deny_egress)",
    // Where all of those ports are closed, nobody asks who may reach them.
    denyIngress !== true &&
      ingress.some(({ source }) => source.case !== "any") &&
      "ingress rules by address or tenant (only this machine itself reaches the ports of a sandbox)",
    services.some(isOpenOtherThanTcp) && "reachable services of protocols other than TCP",
    services.some(({ endpoint }) => endpoint?.kind === EndpointKind.TLS_PASSTHROUGH) &&
      "endpoints of kind TLS_PASSTHROUGH (the real service has none either)",
    services.some(({ endpoint }) => endpoint?.auth === EndpointAuth.TOKEN) &&
      "endpoints with auth TOKEN (the real service has none either)",
    has(Visibility.PRIVATE) &&
      has(Visibility.PUBLIC) &&
      "PRIVATE and PUBLIC services in one sandbox (nor has the real service)",
    services.some(({ endpoint }) => endpoint !== undefined) &&
      services.some(isReachableWithoutEndpoint) &&
      "endpoints beside PUBLIC or PRIVATE services without one (nor has the real service)",
  ];
}

function isOpenOtherThanTcp({ protocol, visibility }: Service): boolean {
  const isTcp = protocol === ServiceProtocol.UNSPECIFIED || protocol === ServiceProtocol.TCP;
  return !isTcp && visibility !== Visibility.UNSPECIFIED;
}

function isReachableWithoutEndpoint({ endpoint, visibility }: Service): boolean {
  const isReachable = visibility === Visibility.PUBLIC || visibility === Visibility.PRIVATE;
  return endpoint === undefined && isReachable;
}

function allowsAll(rule: EgressRule): boolean {
  return rule.destination.case === "any" && rule.destination.value && rule.ports.length === 0;
}
