import {
  type EgressRule,
  EndpointAuth,
  EndpointKind,
  type SandboxSpec,
  type Service,
  ServiceProtocol,
  Visibility,
} from "@tidybox/protocol";
import { holding, type Unsupported } from "../unsupported.ts";

/** What services and rules ask for that this machine cannot give (see refusalOfUnsupported()). */
export function unsupportedNetwork(
  { services, network }: SandboxSpec,
  servicesHaveEgress: boolean,
): readonly Unsupported[] {
  const { egress = [], ingress = [], denyEgress, denyIngress } = network ?? {};
  const has = (visibility: Visibility): boolean =>
    services.some((service) => service.visibility === visibility);
  const hasEndpoint = services.some(({ endpoint }) => endpoint !== undefined);
  return [
    ...egress.flatMap((rule, index) =>
      holding([
        !allowsAll(rule),
        `network.egress[${index}]`,
        "egress rules by address, name, tenant, selector or port (it has all of the network, `any`, or with deny_egress nothing)",
      ]),
    ),
    ...holding([
      services.length > 0 && !servicesHaveEgress && (denyEgress === false || egress.length > 0),
      egress.length > 0 ? "network.egress" : "network.deny_egress",
      "egress of a sandbox with services (its network is its own, and leads nowhere; set deny_egress)",
    ]),
    ...ingress.flatMap(({ source }, index) =>
      holding([
        // Where all of those ports are closed, nobody asks who may reach them.
        denyIngress !== true && source.case !== "any",
        `network.ingress[${index}]`,
        "ingress rules by address or tenant (only this machine itself reaches the ports of a sandbox)",
      ]),
    ),
    ...services.flatMap((service, index) => {
      const at = `services[${index}]`;
      return holding(
        [
          isOpenOtherThanTcp(service),
          `${at}.protocol`,
          "reachable services of protocols other than TCP",
        ],
        [
          service.endpoint?.kind === EndpointKind.TLS_PASSTHROUGH,
          `${at}.endpoint.kind`,
          "endpoints of kind TLS_PASSTHROUGH (the real service has none either)",
        ],
        [
          service.endpoint?.auth === EndpointAuth.TOKEN,
          `${at}.endpoint.auth`,
          "endpoints with auth TOKEN (the real service has none either)",
        ],
        [
          hasEndpoint && isReachableWithoutEndpoint(service),
          `${at}.visibility`,
          "endpoints beside PUBLIC or PRIVATE services without one (nor has the real service)",
        ],
      );
    }),
    ...holding([
      has(Visibility.PRIVATE) && has(Visibility.PUBLIC),
      "services",
      "PRIVATE and PUBLIC services in one sandbox (nor has the real service)",
    ]),
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
