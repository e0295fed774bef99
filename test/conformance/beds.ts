import { type Client, createClient, type Transport } from "@connectrpc/connect";
import { DiscoveryService, type SandboxService, SettingsService } from "@tidybox/protocol";
import { transportOf } from "../../packages/local/src/testing/started-services.ts";
import {
  startTestService,
  type TestService,
  type TestServiceOptions,
} from "../../packages/local/src/testing/test-service.ts";
import { NO_DOCKER, testDockerHost } from "../../packages/local/src/testing/tested-engines.ts";
import { unusedIdentity } from "../../packages/local/src/privileges/identity.ts";

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

export async function openBed(name: BedName, options: TestServiceOptions = {}): Promise<Bed> {
  const engine = name === "bubblewrap-user" ? "bubblewrap" : name;
  const service = await startTestService(
    { engine, ...options },
    name === "bubblewrap-user" ? ordinaryUser() : [],
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

function ordinaryUser(): readonly string[] {
  const identity = unusedIdentity();
  if (identity === undefined) throw new Error("only root can become somebody else");
  const { uid, gid } = identity;
  return ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", "--"];
}
