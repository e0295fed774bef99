import { Code } from "@connectrpc/connect";
import { ErrorReason, TenantScope, Visibility } from "@tidybox/protocol";
import { expect } from "vitest";
import { type SpecInit, specOf } from "../../../packages/local/src/testing/test-service.ts";
import { section, type SentenceOptions } from "../contract.ts";
import { expectSpecRefused, refuses } from "../refusals.ts";
import { running } from "../sandboxes.ts";
import { heardAt, saying, urlOf } from "../served-ports.ts";

const ANY = { case: "any", value: true } as const;
const NOT_IMPLEMENTED = { code: Code.Unimplemented, reason: ErrorReason.NOT_IMPLEMENTED };
const INVALID = { code: Code.InvalidArgument, reason: ErrorReason.INVALID_ARGUMENT };

type Network = NonNullable<SpecInit["network"]>;
type Egress = NonNullable<NonNullable<Network["egress"]>[number]["destination"]>;

const withNetwork = (network: Network): SpecInit => ({ network });
const to = (...destinations: Egress[]): SpecInit =>
  withNetwork({ egress: destinations.map((destination) => ({ destination })) });

/** Rules for what goes out and comes in; what is denied as a whole is in `network.ts`. */
export const networkRules = section("3.12", (says) => {
  says("a rule for everything is granted, and comes back in the status", async (context) => {
    const sandboxId = await running(context, {}, to(ANY));
    const { status } = await context.bed.sandboxes.getSandbox({ sandboxId });
    expect(status?.effectiveEgress).toMatchObject([{ destination: ANY }]);
  });

  const beyondPolicy: readonly (readonly [string, Egress])[] = [
    ["a host name", { case: "dnsName", value: "api.example.com" }],
    ["any name one label below another", { case: "dnsName", value: "*.example.com" }],
    [
      "a block of addresses",
      { case: "cidr", value: { cidr: "10.0.0.0/8", except: ["10.1.0.0/16"] } },
    ],
    ["sandboxes of the same user", { case: "tenant", value: TenantScope.SAME_USER }],
    ["pods by label", { case: "selector", value: { podLabels: { app: "db" } } }],
  ];
  for (const [what, destination] of beyondPolicy) {
    says(
      `rules outside the policy are refused, never narrowed: ${what}`,
      refuses({}, to(ANY, destination), { ...NOT_IMPLEMENTED, field: "network.egress[1]" }),
    );
  }
  says(
    "rules outside the policy are refused, never narrowed: everything, on some ports",
    refuses({}, withNetwork({ egress: [{ destination: ANY, ports: [{ port: 443 }] }] }), {
      ...NOT_IMPLEMENTED,
      field: "network.egress[0]",
    }),
  );

  says("a host name is exact or has one leftmost `*.`: others are invalid", async (context) => {
    for (const value of [
      "*",
      "a.*.com",
      "*.*.com",
      "Example.com",
      "-a.com",
      "a b",
      `${"a".repeat(254)}`,
    ])
      await expectSpecRefused(context, specOf({}, to({ case: "dnsName", value })), {
        ...INVALID,
        field: "network.egress[0].dns_name",
      });
  });

  says(
    "a host name goes with TCP 443 and no other port",
    refuses(
      {},
      withNetwork({
        egress: [{ destination: { case: "dnsName", value: "a.com" }, ports: [{ port: 80 }] }],
      }),
      { ...INVALID, field: "network.egress[0].ports" },
    ),
  );

  says("a rule without a destination, or with a false one, is invalid", async (context) => {
    for (const destination of [undefined, { case: "any", value: false } as const]) {
      const egress = [destination === undefined ? {} : { destination }];
      await expectSpecRefused(context, specOf({}, withNetwork({ egress })), {
        ...INVALID,
        field: "network.egress[0].destination",
      });
    }
  });

  says("ranges of ports must be ranges, of known protocols", async (context) => {
    const wrong = [
      ["port", { port: 0 }],
      ["end_port", { port: 9, endPort: 8 }],
      ["end_port", { port: 9, endPort: 65_536 }],
      ["protocol", { port: 9, protocol: "tcp" }],
    ] as const;
    for (const [field, range] of wrong)
      await expectSpecRefused(
        context,
        specOf({}, withNetwork({ egress: [{ destination: ANY, ports: [range] }] })),
        { ...INVALID, field: `network.egress[0].ports[0].${field}` },
      );
  });

  says("a block of addresses must be one, and so must what it leaves out", async (context) => {
    for (const [field, value] of [
      ["cidr", { cidr: "10.0.0.0" }],
      ["cidr", { cidr: "10.0.0.0/33" }],
      ["cidr.except", { cidr: "10.0.0.0/8", except: ["10.0.0.0/40"] }],
    ] as const)
      await expectSpecRefused(
        context,
        specOf(
          {},
          to({
            case: "cidr",
            value: { cidr: value.cidr, except: "except" in value ? [...value.except] : [] },
          }),
        ),
        { ...INVALID, field: `network.egress[0].${field}` },
      );
  });

  says(
    "a selector needs a label of pods",
    refuses({}, to({ case: "selector", value: {} }), {
      ...INVALID,
      field: "network.egress[0].selector.pod_labels",
    }),
  );

  says(
    "SANDBOX_NETWORK is refused in a rule for ingress",
    refuses(
      {},
      withNetwork({
        ingress: [{ source: { case: "tenant", value: TenantScope.SANDBOX_NETWORK } }],
      }),
      { ...INVALID, field: "network.ingress[0].tenant" },
    ),
  );

  says(
    "(our choice) sources other than everybody are refused: only this machine reaches ports",
    refuses(
      {},
      withNetwork({ ingress: [{ source: { case: "cidr", value: { cidr: "10.0.0.0/8" } } }] }),
      { ...NOT_IMPLEMENTED, field: "network.ingress[0]" },
    ),
  );

  const custom = (options: Network): SpecInit => ({
    services: [{ port: 8080, visibility: Visibility.CUSTOM }],
    network: options,
  });
  const noServices: SentenceOptions = {
    unless: {
      process: {
        cannot: "give a sandbox ports of its own",
        instead: refuses({}, custom({}), {
          ...{ code: Code.FailedPrecondition, reason: ErrorReason.NO_SUITABLE_RUNNER },
          field: "services",
        }),
      },
    },
  };

  says(
    "deny_ingress closes CUSTOM ports, whatever the rules for ingress say",
    async (context) => {
      const rest = custom({ denyIngress: true, ingress: [{ source: ANY }] });
      const sandboxId = await running(context, saying("closed", 8080), rest);
      const sandbox = await context.bed.sandboxes.getSandbox({ sandboxId });
      expect(urlOf(sandbox, 8080)).toBe("");
      expect(sandbox.status?.effectiveIngress).toEqual([]);
    },
    noServices,
  );

  says(
    "deny_ingress does nothing to ports of another visibility",
    async (context) => {
      const rest = {
        services: [{ port: 8080, visibility: Visibility.PUBLIC }],
        network: { denyIngress: true },
      };
      const sandboxId = await running(context, saying("open", 8080), rest);
      const sandbox = await context.bed.sandboxes.getSandbox({ sandboxId });
      expect(await heardAt(urlOf(sandbox, 8080))).toBe("open");
    },
    noServices,
  );

  says(
    "a CUSTOM port is open to the sources of its rules, on the ports of those only",
    async (context) => {
      const open = { ingress: [{ source: ANY, ports: [{ port: 8000, endPort: 8080 }] }] };
      const closed = { ingress: [{ source: ANY, ports: [{ port: 9090 }] }] };
      const opened = await running(context, saying("custom", 8080), custom(open));
      const { sandboxes } = context.bed;
      const sandbox = await sandboxes.getSandbox({ sandboxId: opened });
      expect(await heardAt(urlOf(sandbox, 8080))).toBe("custom");
      expect(sandbox.status?.effectiveIngress).toMatchObject(open.ingress);
      const other = await running(context, {}, custom(closed));
      expect(urlOf(await sandboxes.getSandbox({ sandboxId: other }), 8080)).toBe("");
    },
    noServices,
  );
});
