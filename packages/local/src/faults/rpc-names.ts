import {
  DiscoveryService,
  SandboxService,
  SettingsService,
  UNDESCRIBED_RPCS,
} from "@tidybox/protocol";

const GROUPS: Readonly<Record<string, readonly string[]>> = {
  create: ["CreateSandbox", "CreateSandboxFromTemplate"],
  get: ["GetSandbox"],
  list: ["ListSandboxes"],
  delete: ["DeleteSandbox"],
  purge: ["PurgeSandboxes"],
  exec: ["Exec", "StreamExec"],
  logs: ["StreamLogs"],
  read: ["ReadFile"],
  write: ["WriteFile"],
  snapshot: ["CreateFileSystemSnapshot"],
};

const ALL = "all";

const RPCS: readonly string[] = [
  ...[SandboxService, DiscoveryService, SettingsService].flatMap(({ methods }) =>
    methods.map(({ name }) => name),
  ),
  ...Object.values(UNDESCRIBED_RPCS).flat(),
];

/** What can be written in place of an RPC. */
export const RPC_KEYS: readonly string[] = [...Object.keys(GROUPS), ALL];

export function isRpcKey(key: string): boolean {
  return RPC_KEYS.includes(key) || RPCS.some((rpc) => sameName(rpc, key));
}

/** The value of the most exact key for an RPC: its own name, then its group, then `all`. */
export function valueFor<T>(values: ReadonlyMap<string, T>, rpc: string): T | undefined {
  const own = [...values.keys()].find((key) => sameName(rpc, key) && !(key in GROUPS));
  const group = Object.keys(GROUPS).find((key) => GROUPS[key]?.includes(rpc) && values.has(key));
  const key = own ?? group ?? ALL;
  return values.get(key);
}

/** `exec` is the group, `Exec` the RPC. */
function sameName(rpc: string, key: string): boolean {
  return rpc === key || (!(key in GROUPS) && rpc.toLowerCase() === key.toLowerCase());
}
