import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { create } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { type Sandbox, SandboxSchema, SandboxService, State, isTerminal } from "@tidybox/protocol";

// Sandboxes that are records only, so that what a coordinator costs is not drowned by processes.
// argv: milliseconds of a start, milliseconds of a stop.
const [startMs = 0, stopMs = 0] = process.argv.slice(2).map(Number);
const active = new Map<string, Sandbox>();
const ended = new Map<string, Sandbox>();
const MOST_ENDED = 4000;

function after(milliseconds: number, body: () => void): void {
  if (milliseconds === 0) body();
  else setTimeout(body, milliseconds).unref();
}

function set(sandbox: Sandbox, state: State): void {
  sandbox.status = { ...sandbox.status!, state };
}

function end(sandbox: Sandbox): void {
  if (sandbox.status?.state === State.TERMINATING || isTerminal(sandbox.status!.state)) return;
  set(sandbox, State.TERMINATING);
  after(stopMs, () => {
    set(sandbox, State.TERMINATED);
    active.delete(sandbox.sandboxId);
    ended.set(sandbox.sandboxId, sandbox);
    const [oldest] = ended.keys();
    if (ended.size > MOST_ENDED && oldest !== undefined) ended.delete(oldest);
  });
}

function matching(tags: readonly string[]): Sandbox[] {
  return [...active.values()].filter(({ spec }) => tags.every((tag) => spec?.tags.includes(tag)));
}

let made = 0;
const server = createServer(
  connectNodeAdapter({
    routes: (router) =>
      router.service(SandboxService, {
        createSandbox({ sandbox }) {
          made += 1;
          const record = create(SandboxSchema, {
            sandboxId: `00000000-0000-4000-8000-${String(made).padStart(12, "0")}`,
            spec: sandbox?.spec!,
            status: { state: State.CREATING, runnerId: "simulated", createdAt: timestampNow() },
          });
          active.set(record.sandboxId, record);
          after(startMs, () => {
            if (record.status?.state === State.CREATING) set(record, State.RUNNING);
          });
          return record;
        },
        getSandbox: ({ sandboxId }) => active.get(sandboxId) ?? ended.get(sandboxId)!,
        listSandboxes: ({ tags }) => ({ sandboxes: matching(tags) }),
        deleteSandbox({ sandboxId }) {
          const sandbox = active.get(sandboxId) ?? ended.get(sandboxId);
          if (sandbox !== undefined) end(sandbox);
          return sandbox === undefined ? {} : { sandbox };
        },
        purgeSandboxes({ tags }) {
          const all = matching(tags);
          for (const each of all) end(each);
          return { purgeCount: all.length };
        },
      }),
  }),
);
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`CWSANDBOX_BASE_URL=http://127.0.0.1:${port}\nCWSANDBOX_API_KEY=none\n`);
});
process.on("SIGTERM", () => process.exit(0));
