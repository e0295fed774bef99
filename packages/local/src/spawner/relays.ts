import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import type { HelperAnswer, HelperRequest } from "./messages.ts";
import type { RelayAnswer, RelayCommand, RelayRequest } from "./relay-messages.ts";

type OpenRequest = Extract<HelperRequest, { type: "relay" }>;

/** Behind standard input, output, error and the channel. */
const NODE_DESCRIPTOR = 4;

/** It only hands bytes on: a small heap, and one thread beside its own, will do. */
const NODE_ARGUMENTS = ["--max-semi-space-size=1", "--v8-pool-size=1"];

/**
 * In a container, root may listen on port 80; here it has no capability for that, so that nobody needs
 * one in the sandbox's own network. Where the setting is read-only, ports below 1024 stay closed.
 */
const LOW_PORTS = "{ echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start; } 2>/dev/null";

/** The helper's relays, one process for each sandbox with ports to be reached (relay-main.ts). */
export class Relays {
  readonly #answer: (message: HelperAnswer) => void;
  readonly #open = new Map<number, ChildProcess>();

  constructor(answer: (message: HelperAnswer) => void) {
    this.#answer = answer;
  }

  async open({ id, command, main }: OpenRequest): Promise<void> {
    const servers: Server[] = [];
    try {
      while (servers.length < command.ports.length) servers.push(await listen());
      this.#start(id, command, main, servers);
    } catch (error) {
      for (const server of servers) server.close();
      const reason = error instanceof Error ? error.message : String(error);
      this.#answer({ type: "failed", id, reason });
    }
  }

  /** Answers whether there is such a relay. */
  kill(id: number): boolean {
    return this.#open.get(id)?.kill("SIGKILL") !== undefined;
  }

  killAll(): void {
    for (const child of this.#open.values()) child.kill("SIGKILL");
  }

  #start(id: number, command: RelayCommand, main: string, servers: readonly Server[]): void {
    const hostPorts = servers.map((server) => (server.address() as AddressInfo).port);
    const child = enter(command, main);
    this.#open.set(id, child);
    let missing = servers.length;
    child.on("message", (_answer: RelayAnswer) => {
      missing -= 1;
      if (missing > 0) return;
      // The relay has them now, and alone answers them.
      for (const server of servers) server.close();
      this.#answer({ type: "relaying", id, hostPorts });
    });
    child.once("error", (error) => {
      if (child.pid === undefined) end(error.message);
    });
    child.once("exit", (code, signal) => end(`the relay ended (${signal ?? `code ${code}`})`));
    const end = (reason: string): void => {
      if (!this.#open.delete(id)) return;
      if (missing === 0)
        return this.#answer({ type: "ended", id, code: 0, signal: null, stderrTail: "" });
      for (const server of servers) server.close();
      this.#answer({ type: "failed", id, reason });
    };
    for (const [index, port] of command.ports.entries()) {
      const request: RelayRequest = { type: "relay", port };
      // A broken channel is followed by "exit".
      child.send(request, servers[index], {}, () => {});
    }
  }
}

/** Only into the network of the sandbox, and then without the capabilities that this takes. */
function enter({ nsenter, innerPid }: RelayCommand, main: string): ChildProcess {
  const into = ["--preserve-credentials", "-t", String(innerPid), "-U", "-n", "--"];
  const prepared = ["/bin/sh", "-c", `${LOW_PORTS}; exec "$@"`, "sh"];
  const without = ["setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", "--"];
  // This very program, by a descriptor: its path may have become unreadable with root given up.
  const node = openSync("/proc/self/exe", "r");
  try {
    const relay = [`/proc/self/fd/${NODE_DESCRIPTOR}`, ...NODE_ARGUMENTS, main];
    return spawn(nsenter, [...into, ...prepared, ...without, ...relay], {
      cwd: "/",
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
      stdio: ["ignore", "ignore", "inherit", "ipc", node],
      detached: true,
    });
  } finally {
    closeSync(node);
  }
}

/** Nobody knows the port before the relay has it. */
async function listen(): Promise<Server> {
  const server = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}
