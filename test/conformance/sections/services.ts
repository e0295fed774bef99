import { Code } from "@connectrpc/connect";
import {
  EndpointAuth,
  EndpointKind,
  ErrorReason,
  type Sandbox,
  ServiceProtocol,
  State,
  Visibility,
} from "@tidybox/protocol";
import { expect } from "vitest";
import { sh, type SpecInit, untilEnded } from "../../../packages/local/src/testing/test-service.ts";
import { type CaseContext, type Exception, section, type SentenceOptions } from "../contract.ts";
import { NOTHING_STARTS, ownService } from "../own-service.ts";
import { refuses } from "../refusals.ts";
import { running, started } from "../sandboxes.ts";
import { heardAt, saying, urlOf } from "../served-ports.ts";

const { PUBLIC, PRIVATE } = Visibility;
const HTTPS_OPEN = { kind: EndpointKind.HTTPS, auth: EndpointAuth.OPEN };

type Services = NonNullable<SpecInit["services"]>;

const withServices = (...services: Services): SpecInit => ({ services });

const NO_SERVICES: Exception = {
  cannot: "give a sandbox ports of its own",
  instead: refuses({}, withServices({ port: 80, visibility: PUBLIC }), {
    ...{ code: Code.FailedPrecondition, reason: ErrorReason.NO_SUITABLE_RUNNER },
    field: "services",
  }),
};

const UNLESS: SentenceOptions = { unless: { process: NO_SERVICES } };

async function serving(context: CaseContext, word: string, rest: SpecInit): Promise<Sandbox> {
  const sandboxId = await running(context, saying(word, 8080), rest);
  return context.bed.sandboxes.getSandbox({ sandboxId });
}

const endpointOf = ({ status }: Sandbox): string => status?.services[0]?.endpoint?.url ?? "";

export const services = section("3.11", (says) => {
  says(
    "the status echoes each declared port, with name, protocol and visibility",
    async (context) => {
      const sandboxId = await running(
        context,
        {},
        withServices(
          { port: 8080, name: "web", visibility: PUBLIC },
          { port: 9090 },
          { port: 53, protocol: ServiceProtocol.UDP },
        ),
      );
      const { spec, status } = await context.bed.sandboxes.getSandbox({ sandboxId });
      expect(status?.services).toMatchObject([
        { port: 8080, name: "web", protocol: ServiceProtocol.TCP, visibility: PUBLIC },
        { port: 9090, name: "", protocol: ServiceProtocol.TCP, visibility: 0 },
        { port: 53, name: "", protocol: ServiceProtocol.UDP, visibility: 0 },
      ]);
      // As it was declared, and not as it was read.
      expect(spec?.services[1]).toMatchObject({ port: 9090, protocol: 0 });
    },
    UNLESS,
  );

  says(
    "a port that was not declared at create has no URL, and what listens there is not reached",
    async (context) => {
      const sandbox = await serving(context, "hidden", withServices({ port: 9090 }));
      expect(sandbox.status?.services).toHaveLength(1);
      expect(urlOf(sandbox, 8080)).toBe("");
    },
    UNLESS,
  );

  says(
    "a port is reached at its URL once the sandbox is RUNNING, two sandboxes having the same one",
    async (context) => {
      const rest = withServices({ port: 8080, visibility: PUBLIC });
      const [one, two] = await Promise.all([
        serving(context, "one", rest),
        serving(context, "two", rest),
      ]);
      expect(urlOf(one, 8080)).not.toBe(urlOf(two, 8080));
      expect(await heardAt(urlOf(one, 8080))).toBe("one");
      expect(await heardAt(urlOf(two, 8080))).toBe("two");
    },
    UNLESS,
  );

  says(
    "the URL means that it is assigned, not that something listens already",
    async (context) => {
      const sandboxId = await running(
        context,
        {},
        withServices({ port: 8080, visibility: PUBLIC }),
      );
      const sandbox = await context.bed.sandboxes.getSandbox({ sandboxId });
      expect(urlOf(sandbox, 8080)).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    },
    UNLESS,
  );

  says(
    "a port without a visibility is not reachable from outside: it has no URL",
    async (context) => {
      const sandbox = await serving(context, "closed", withServices({ port: 8080 }));
      expect(sandbox.status?.services[0]).toMatchObject({ visibility: 0, url: "" });
      expect(sandbox.status?.services[0]?.endpoint).toBeUndefined();
    },
    UNLESS,
  );

  says(
    "PRIVATE ports are reached by the same organization, which this machine is",
    async (context) => {
      const rest = withServices({ port: 8080, visibility: PRIVATE });
      const sandbox = await serving(context, "private", rest);
      expect(await heardAt(urlOf(sandbox, 8080))).toBe("private");
    },
    UNLESS,
  );

  says(
    "the URL of a port is shown while RUNNING and gone when the sandbox has ended, and the port with it",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandbox = await serving(
        context,
        "here",
        withServices({ port: 8080, visibility: PUBLIC }),
      );
      const url = urlOf(sandbox, 8080);
      expect(await heardAt(url)).toBe("here");
      const { sandboxId } = sandbox;
      await sandboxes.deleteSandbox({ sandboxId });
      const ended = await untilEnded(sandboxes, sandboxId);
      expect(ended.status?.services).toMatchObject([{ port: 8080, visibility: PUBLIC, url: "" }]);
      await expect(heardAt(url)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    },
    UNLESS,
  );

  says(
    "while it is not RUNNING yet, a port has no URL",
    async (context) => {
      await using own = await ownService(context, NOTHING_STARTS);
      const { sandboxId } = await started(
        own,
        {},
        withServices({ port: 8080, visibility: PUBLIC }),
      );
      const { status } = await own.bed.sandboxes.getSandbox({ sandboxId });
      expect(status).toMatchObject({ state: State.CREATING, services: [{ port: 8080, url: "" }] });
    },
    UNLESS,
  );

  says(
    "an HTTPS endpoint has its URL in the endpoint and none beside it, the same on Get, List and a replayed create",
    async (context) => {
      const { sandboxes } = context.bed;
      const service = { port: 8080, visibility: PUBLIC, endpoint: HTTPS_OPEN };
      const spec = {
        containers: [{ name: "main", image: "python:3.11", ...saying("site", 8080) }],
        services: [service],
        tags: [context.tag],
      } as SpecInit;
      const request = { sandbox: { spec }, requestId: context.tag };
      const { sandboxId } = await sandboxes.createSandbox(request);
      let seen = await sandboxes.getSandbox({ sandboxId });
      while (seen.status?.state !== State.RUNNING) seen = await sandboxes.getSandbox({ sandboxId });
      const url = endpointOf(seen);
      expect(await heardAt(url)).toBe("site");
      expect(seen.status.services[0]).toMatchObject({ url: "", endpoint: HTTPS_OPEN });
      const listed = await sandboxes.listSandboxes({ tags: [context.tag] });
      const replayed = await sandboxes.createSandbox(request);
      expect(replayed.sandboxId).toBe(sandboxId);
      for (const sandbox of [listed.sandboxes[0], replayed])
        expect(sandbox && endpointOf(sandbox)).toBe(url);
    },
    UNLESS,
  );

  says(
    "the endpoint's URL is hidden once the sandbox is TERMINATING or terminal",
    async (context) => {
      const { sandboxes } = context.bed;
      const stubborn = {
        command: "/bin/sh",
        args: ["-c", "trap '' TERM; while :; do sleep 1; done"],
      };
      const service = { port: 8080, visibility: PUBLIC, endpoint: HTTPS_OPEN };
      const sandboxId = await running(context, stubborn, withServices(service));
      expect(endpointOf(await sandboxes.getSandbox({ sandboxId }))).not.toBe("");
      const { sandbox } = await sandboxes.deleteSandbox({ sandboxId, gracePeriodSeconds: 20 });
      expect(sandbox?.status).toMatchObject({
        state: State.TERMINATING,
        services: [{ url: "", endpoint: { ...HTTPS_OPEN, url: "" } }],
      });
      await sandboxes.deleteSandbox({ sandboxId });
      const ended = await untilEnded(sandboxes, sandboxId);
      expect(endpointOf(ended)).toBe("");
    },
    UNLESS,
  );

  says(
    "(our choice) endpoints have http:// URLs here, for want of TLS, and the service says so",
    async (context) => {
      const { sandboxes, service: local } = context.bed;
      const service = { port: 8080, visibility: PUBLIC, endpoint: HTTPS_OPEN };
      const sandboxId = await running(context, {}, withServices(service));
      expect(endpointOf(await sandboxes.getSandbox({ sandboxId }))).toMatch(/^http:/);
      const told = (await local.notices()).map(({ code }) => code);
      expect(told).toContain("endpoint_without_tls");
    },
    UNLESS,
  );

  says(
    "what listens on a declared port is reached by the sandbox's own commands at that port",
    async (context) => {
      const sandbox = await serving(context, "inner", withServices({ port: 8080 }));
      const ask = `if command -v perl >/dev/null; then perl -MIO::Socket::INET -e '
          my $peer; until ($peer = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => 8080)) { select(undef, undef, undef, 0.02) }
          print <$peer>'
        else until nc 127.0.0.1 8080 </dev/null 2>/dev/null; do :; done; fi`;
      const { stdout } = await sh(context.bed.sandboxes, sandbox.sandboxId, ask);
      expect(stdout).toBe("inner");
    },
    UNLESS,
  );

  says(
    "a sandbox without internet can have a port that is reached, too",
    async (context) => {
      const rest = {
        services: [{ port: 8080, visibility: PUBLIC }],
        network: { denyEgress: true },
      };
      const sandboxId = await running(context, saying("inside", 8080), rest);
      const sandbox = await context.bed.sandboxes.getSandbox({ sandboxId });
      expect(await heardAt(urlOf(sandbox, 8080))).toBe("inside");
      expect(sandbox.status?.effectiveEgress).toEqual([]);
    },
    {
      unless: {
        process: NO_SERVICES,
        docker: {
          cannot: "publish ports of a sandbox whose egress is denied",
          instead: refuses(
            {},
            { services: [{ port: 8080, visibility: PUBLIC }], network: { denyEgress: true } },
            {
              ...{ code: Code.FailedPrecondition, reason: ErrorReason.NO_SUITABLE_RUNNER },
              field: "services",
            },
          ),
        },
      },
    },
  );
});
