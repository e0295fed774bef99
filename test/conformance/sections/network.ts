import { type AddressInfo, createServer, type Server } from "node:net";
import { once } from "node:events";
import { networkInterfaces } from "node:os";
import { Code } from "@connectrpc/connect";
import { ErrorReason } from "@tidybox/protocol";
import { expect } from "vitest";
import { sh, type SpecInit } from "../../../packages/local/src/testing/test-service.ts";
import { type Exception, section, type SentenceOptions } from "../contract.ts";
import { refuses } from "../refusals.ts";
import { running } from "../sandboxes.ts";

const ANY = { case: "any", value: true } as const;
const INVALID = { code: Code.InvalidArgument, reason: ErrorReason.INVALID_ARGUMENT };

type Network = NonNullable<SpecInit["network"]>;

const withNetwork = (network: Network): SpecInit => ({ network });

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
    const { sandboxes, service } = context.bed;
    const sandboxId = await running(context, {}, withNetwork({ denyEgress: true }));
    expect((await sh(sandboxes, sandboxId, RESOLVE)).exitCode).not.toBe(0);
    const told = (await service.notices()).map(({ code }) => code);
    expect(told).toContain("names_not_resolved");
  },
};

/** Says `yes` where the address answers within two seconds. */
const reach = (host: string, port: number): string => `
  if command -v perl >/dev/null; then perl -MIO::Socket::INET -e '
    print IO::Socket::INET->new(PeerAddr => "${host}", PeerPort => ${port}, Timeout => 2) ? "yes" : "no"'
  elif nc -w 2 ${host} ${port} </dev/null >/dev/null 2>&1; then printf yes; else printf no; fi`;

/** A server that others than this machine reach as well. */
function listening(): Server {
  const server = createServer((socket) => socket.on("error", () => {}).end("x"));
  return server.listen(0, "0.0.0.0");
}

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
      const server = listening();
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
      const server = listening();
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
});
