import { createServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import { networkInterfaces } from "node:os";
import { Code } from "@connectrpc/connect";
import { ErrorReason, TenantScope, Visibility } from "@tidybox/protocol";
import { expect } from "vitest";
import { sh, type SpecInit, specOf } from "../../../packages/local/src/testing/test-service.ts";
import { type Exception, section, type SentenceOptions } from "../contract.ts";
import { ownService } from "../own-service.ts";
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

const SHARED_NETWORK: Exception = {
  cannot: "keep a sandbox from the network",
  instead: refuses({}, withNetwork({ denyEgress: true }), {
    ...{ code: Code.FailedPrecondition, reason: ErrorReason.NO_SUITABLE_RUNNER },
    field: "network.deny_egress",
  }),
};
const UNLESS: SentenceOptions = { unless: { process: SHARED_NETWORK } };

const RESOLVE = "getent hosts example.com || nslookup example.com";

/** Where each name is not resolved, what asks for one hears of it at once, and people are told. */
const NO_NAMES: Exception = {
  cannot: "resolve names where egress is denied",
  instead: async (context) => {
    await using own = await ownService(context, {});
    const sandboxId = await running(own, {}, withNetwork({ denyEgress: true }));
    expect((await sh(own.bed.sandboxes, sandboxId, RESOLVE)).exitCode).not.toBe(0);
    const told = (await own.bed.service.notices()).map(({ code }) => code);
    expect(told).toContain("names_not_resolved");
  },
};

/** Says `yes` where the address answers within two seconds. */
const reach = (host: string, port: number): string => `
  if command -v perl >/dev/null; then perl -MIO::Socket::INET -e '
    print IO::Socket::INET->new(PeerAddr => "${host}", PeerPort => ${port}, Timeout => 2) ? "yes" : "no"'
  elif nc -w 2 ${host} ${port} </dev/null >/dev/null 2>&1; then printf yes; else printf no; fi`;

/** An address of this machine that others reach it by; its loopback where there is none. */
function ownAddress(): string {
  const all = Object.values(networkInterfaces()).flat();
  const outer = all.find((each) => each?.family === "IPv4" && !each.internal);
  return outer?.address ?? "127.0.0.1";
}

export const network = section("3.12", (says) => {
  says(
    "with deny_egress a sandbox reaches nothing, this machine not excepted",
    async (context) => {
      const server = createServer((socket) => socket.end("x")).listen(0, "0.0.0.0");
      await once(server, "listening");
      try {
        const { port } = server.address() as AddressInfo;
        const sandboxId = await running(context, {}, withNetwork({ denyEgress: true }));
        for (const host of [ownAddress(), "127.0.0.1"]) {
          const { stdout } = await sh(context.bed.sandboxes, sandboxId, reach(host, port));
          expect(stdout).toBe("no");
        }
      } finally {
        server.close();
      }
    },
    UNLESS,
  );

  says(
    "(our choice) without rules a sandbox reaches what this machine reaches",
    async (context) => {
      const server = createServer((socket) => socket.end("x")).listen(0, "0.0.0.0");
      await once(server, "listening");
      try {
        const { port } = server.address() as AddressInfo;
        const sandboxId = await running(context);
        const { stdout } = await sh(context.bed.sandboxes, sandboxId, reach(ownAddress(), port));
        expect(stdout).toBe("yes");
      } finally {
        server.close();
      }
    },
  );

  says(
    "with deny_egress names are still resolved",
    async (context) => {
      const sandboxId = await running(context, {}, withNetwork({ denyEgress: true }));
      expect((await sh(context.bed.sandboxes, sandboxId, RESOLVE)).exitCode).toBe(0);
    },
    {
      unless: {
        bubblewrap: NO_NAMES,
        "bubblewrap-user": NO_NAMES,
        docker: NO_NAMES,
        process: SHARED_NETWORK,
      },
    },
  );

  says(
    "with deny_egress no rule is in force, and the spec still says which of unset, false and true it was",
    async (context) => {
      const { sandboxes } = context.bed;
      const denied = await running(context, {}, withNetwork({ denyEgress: true }));
      const { spec, status } = await sandboxes.getSandbox({ sandboxId: denied });
      expect(status?.effectiveEgress).toEqual([]);
      expect(spec?.network?.denyEgress).toBe(true);
      expect(spec?.network?.denyIngress).toBeUndefined();
    },
    UNLESS,
  );

  says("unset and false differ: both come back as they were sent", async (context) => {
    const { sandboxes } = context.bed;
    for (const sent of [undefined, {}, { denyEgress: false, denyIngress: false }]) {
      const sandboxId = await running(context, {}, sent === undefined ? {} : withNetwork(sent));
      const { spec } = await sandboxes.getSandbox({ sandboxId });
      expect(spec?.network === undefined).toBe(sent === undefined);
      expect(spec?.network?.denyEgress).toBe(sent?.denyEgress);
      expect(spec?.network?.denyIngress).toBe(sent?.denyIngress);
    }
  });

  says(
    "deny_egress together with egress rules is invalid",
    refuses({}, withNetwork({ denyEgress: true, egress: [{ destination: ANY }] }), {
      ...INVALID,
      field: "network.egress",
    }),
  );

  says(
    "(our choice) without rules this machine's policy lets out everything, and says so in the status",
    async (context) => {
      const sandboxId = await running(context);
      const { status } = await context.bed.sandboxes.getSandbox({ sandboxId });
      expect(status?.effectiveEgress).toMatchObject([{ destination: ANY }]);
    },
  );

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
