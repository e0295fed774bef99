import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";

/** What the evil package is after. Serialisable: it is told. */
export interface Targets {
  /** Name of a variable in this process's environment, and in those it came from. */
  readonly variable: string;
  /** A word in the command line of a process of this machine. */
  readonly processMarker: string;
  /** A file to overwrite. */
  readonly victim: string;
  /** Files to read. */
  readonly files: readonly string[];
  readonly listener: Address;
  /** On the internet. */
  readonly outside: readonly Address[];
  readonly names: readonly string[];
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Things on this machine that are worth stealing, really there until it is closed. */
export interface Host {
  readonly targets: Targets;
  /** Connections that somebody made to the listener. */
  readonly connections: () => number;
  /** What the file to overwrite holds now. */
  readonly victim: () => Promise<string>;
  readonly close: () => Promise<void>;
}

export const UNTOUCHED = "untouched";

/** Writes the files, opens the listener, starts the process. */
export async function openHost(options: {
  readonly variable: string;
  /** Whether the files of this account's home are targets too. */
  readonly home: boolean;
}): Promise<Host> {
  const folder = await mkdtemp(join(tmpdir(), "untrusted-packages-"));
  const secret = join(folder, "id_ed25519");
  const victim = join(folder, "victim.txt");
  await writeFile(secret, randomUUID());
  await writeFile(victim, UNTOUCHED);
  const listener = await openListener();
  const marked = await startProcess();
  return {
    targets: {
      variable: options.variable,
      processMarker: marked.marker,
      victim,
      files: [secret, import.meta.filename, ...(options.home ? filesOfHome() : [])],
      listener: listener.address,
      outside: [
        { host: "1.1.1.1", port: 443 },
        { host: "registry.npmjs.org", port: 443 },
      ],
      names: ["registry.npmjs.org"],
    },
    connections: listener.connections,
    victim: () => readFile(victim, "utf8"),
    close: async () => {
      await Promise.all([
        listener.close(),
        marked.end(),
        rm(folder, { recursive: true, force: true }),
      ]);
    },
  };
}

async function openListener() {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.on("error", () => socket.destroy()).resume();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the listener has no port");
  return {
    address: { host: "127.0.0.1", port: address.port },
    connections: () => connections,
    close: async () => {
      server.close();
      await once(server, "close");
    },
  };
}

async function startProcess() {
  const marker = `marker-${randomUUID()}`;
  // It ends with its standard input, and so with us.
  const child = spawn(process.execPath, ["-e", "process.stdin.resume()", marker], {
    stdio: ["pipe", "ignore", "ignore"],
  });
  await once(child, "spawn");
  return {
    marker,
    end: async () => {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** Such as every home has. What holds credentials is left alone: nothing here need ever open it. */
function filesOfHome(): readonly string[] {
  return [".profile", ".bashrc", ".bash_profile", ".zshrc"]
    .map((name) => join(homedir(), name))
    .filter((path) => existsSync(path));
}
