export interface NetworkOptions {
  /** Nothing but DNS gets out. Excludes `egress`. Left out, and false, are different on the wire. */
  readonly denyEgress?: boolean | undefined;
  /** Closes ports of visibility `custom`, whatever `ingress` says. */
  readonly denyIngress?: boolean | undefined;
  /** All that may be reached. Empty: the policy's default, which need not be the open internet. */
  readonly egress?: readonly EgressOptions[] | undefined;
  /** Who may reach ports of visibility `custom`. Empty: the policy's default. */
  readonly ingress?: readonly IngressOptions[] | undefined;
}

export type TenantScope = "same-user" | "same-org" | "sandbox-network";

/** One destination, on all ports unless some are named. */
export type EgressOptions = { readonly ports?: readonly PortRangeOptions[] | undefined } & (
  | { readonly cidr: string; readonly except?: readonly string[] | undefined }
  /** Exact, or `*.` for one leftmost label; TCP 443. */
  | { readonly dnsName: string }
  | { readonly tenant: TenantScope }
  | { readonly any: true }
  | {
      readonly podLabels: Readonly<Record<string, string>>;
      readonly namespaceLabels?: Readonly<Record<string, string>> | undefined;
    }
);

/** One source, on all custom ports unless some are named. */
export type IngressOptions = { readonly ports?: readonly PortRangeOptions[] | undefined } & (
  | { readonly cidr: string; readonly except?: readonly string[] | undefined }
  | { readonly tenant: TenantScope }
  | { readonly any: true }
);

export interface PortRangeOptions {
  readonly port: number;
  /** Last port, included. Default: `port` alone. */
  readonly endPort?: number | undefined;
  /** Default TCP. */
  readonly protocol?: "TCP" | "UDP" | "SCTP" | undefined;
}

export interface ServiceOptions {
  /** 1 to 65535, each once. */
  readonly port: number;
  readonly name?: string | undefined;
  /** Default TCP. */
  readonly protocol?: "tcp" | "udp" | "sctp" | undefined;
  /** Default: not reachable from outside. `private`: the same organization. */
  readonly visibility?: "public" | "private" | "custom" | undefined;
  /** An `https://` address made by the service. Needs visibility `public` and TCP. */
  readonly endpoint?: { readonly kind: "https"; readonly auth: "open" } | undefined;
}
