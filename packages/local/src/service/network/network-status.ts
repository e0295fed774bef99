import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type SandboxSpec,
  type SandboxStatusSchema,
  type Service,
  ServiceProtocol,
  State,
  Visibility,
} from "@tidybox/protocol";
import type { EngineSandbox } from "../../engines/engine.ts";

type NetworkStatus = Pick<
  MessageInitShape<typeof SandboxStatusSchema>,
  "services" | "effectiveEgress" | "effectiveIngress"
>;

/** What a client sees of services and of the rules in force; closed is a network that leads nowhere. */
export function networkStatus(
  { services, network }: SandboxSpec,
  state: State,
  sandbox: EngineSandbox | undefined,
  isClosed: boolean,
): NetworkStatus {
  const { denyIngress, egress = [], ingress = [] } = network ?? {};
  const hasCustom = services.some(({ visibility }) => visibility === Visibility.CUSTOM);
  return {
    services: services.map((service) =>
      serviceStatus(service, state, sandbox?.hostPorts?.get(service.port)),
    ),
    // Allowing rules: without any, nothing is allowed.
    effectiveEgress: isClosed ? [] : egress.length > 0 ? egress : [ANY_DESTINATION],
    effectiveIngress:
      denyIngress === true ? [] : ingress.length > 0 || !hasCustom ? ingress : [ANY_SOURCE],
  };
}

const ANY_DESTINATION = { destination: { case: "any", value: true } } as const;
const ANY_SOURCE = { source: { case: "any", value: true } } as const;

function serviceStatus(
  { port, name, protocol, visibility, endpoint }: Service,
  state: State,
  hostPort: number | undefined,
): NonNullable<NetworkStatus["services"]>[number] {
  const assigned = hostPort === undefined ? "" : `http://127.0.0.1:${hostPort}`;
  const isRunning = state === State.RUNNING;
  return {
    port,
    name,
    protocol: protocol === ServiceProtocol.UNSPECIFIED ? ServiceProtocol.TCP : protocol,
    visibility,
    // The official SDKs take the one of the endpoint only where this one is empty.
    url: isRunning && endpoint === undefined ? assigned : "",
    ...(endpoint && {
      endpoint: {
        kind: endpoint.kind,
        auth: endpoint.auth,
        url: isRunning || state === State.CREATING ? assigned : "",
      },
    }),
  };
}
