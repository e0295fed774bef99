import { type Client, createClient, type Transport } from "@connectrpc/connect";
import { DiscoveryService, type SandboxService, SettingsService } from "@tidybox/protocol";
import { transportOf } from "../../packages/local/src/testing/started-services.ts";
import {
  startTestService,
  type TestService,
  type TestServiceOptions,
} from "../../packages/local/src/testing/test-service.ts";
import { NO_DOCKER, testDockerHost } from "../../packages/local/src/testing/tested-engines.ts";
import { type Identity, unusedIdentity } from "../../packages/local/src/privileges/identity.ts";

/** What the contract is run against. `bubblewrap-user`: the service is started by an ordinary user. */
export const BEDS = ["bubblewrap", "bubblewrap-user", "process", "docker"] as const;
export type BedName = (typeof BEDS)[number];

/** A running service in a process of its own, and the clients of its wire. */
export interface Bed {
  readonly name: BedName;
  readonly service: TestService;
  readonly sandboxes: Client<typeof SandboxService>;
  readonly discovery: Client<typeof DiscoveryService>;
  readonly settings: Client<typeof SettingsService>;
  /** For calls that these clients do not make. */
  readonly transport: Transport;
}

/** Undefined: it runs here. */
export function whyNotHere(name: BedName): string | undefined {
  if (name === "docker" && testDockerHost === undefined) return NO_DOCKER;
  if (name === "bubblewrap-user" && unusedIdentity() === undefined)
    return "needs root, to become an ordinary user";
  return undefined;
}

/** `options` may depend on who starts the service: undefined is the account of this process. */
export async function openBed(
  name: BedName,
  options: TestServiceOptions | ((starter: Identity | undefined) => TestServiceOptions) = {},
): Promise<Bed> {
  const engine = name === "bubblewrap-user" ? "bubblewrap" : name;
  const starter = name === "bubblewrap-user" ? ordinaryUser() : undefined;
  const service = await startTestService(
    { engine, ...(typeof options === "function" ? options(starter) : options) },
    starter === undefined ? [] : asUser(starter),
  );
  const transport = transportOf(service);
  return {
    name,
    service,
    sandboxes: service.client,
    discovery: createClient(DiscoveryService, transport),
    settings: createClient(SettingsService, transport),
    transport,
  };
}

function ordinaryUser(): Identity {
  const identity = unusedIdentity();
  if (identity === undefined) throw new Error("only root can become somebody else");
  return identity;
}

function asUser({ uid, gid }: Identity): readonly string[] {
  return ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", "--"];
}
