import { type NetworkOptions, type SandboxSpec, type Service, Visibility } from "@tidybox/protocol";
import type { SandboxPlan } from "../../engines/engine.ts";

/**
 * The network of a spec that was found valid and supported. One with services is the sandbox's own:
 * in the host's, two sandboxes could not have the same port, and a port that is closed to the outside
 * would be open. Nothing leads out of it, unless the engine says that services have egress.
 */
export function planNetwork(
  spec: SandboxSpec,
  servicesHaveEgress: boolean,
): Pick<SandboxPlan, "denyEgress" | "publish"> {
  const { services, network } = spec;
  return {
    denyEgress: network?.denyEgress === true || (services.length > 0 && !servicesHaveEgress),
    publish: services.filter((service) => isOpen(service, network)).map(({ port }) => port),
  };
}

function isOpen({ port, visibility }: Service, network: NetworkOptions | undefined): boolean {
  switch (visibility) {
    case Visibility.PUBLIC:
    case Visibility.PRIVATE:
      return true;
    case Visibility.CUSTOM:
      return isOpenToThisMachine(port, network);
    default:
      return false;
  }
}

/** Without rules the policy decides, and this machine's lets itself in. */
function isOpenToThisMachine(port: number, network: NetworkOptions | undefined): boolean {
  const { denyIngress, ingress = [] } = network ?? {};
  if (denyIngress === true) return false;
  if (ingress.length === 0) return true;
  return ingress.some(
    ({ ports }) =>
      ports.length === 0 ||
      ports.some(
        (range) =>
          ["", "TCP"].includes(range.protocol) &&
          port >= range.port &&
          port <= (range.endPort || range.port),
      ),
  );
}
