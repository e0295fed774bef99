import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { testDockerHost } from "./tested-engines.ts";

const REQUEST_LINE = /^(?:GET|HEAD|POST|PUT|DELETE) \S+/;

/** Stands between services and the tests' Docker, and makes it slow, silent or gone for them. */
export class DockerProxy {
  /** For DOCKER_HOST. */
  readonly host: string;
  /** First lines of what was asked, such as `POST /containers/create?name=x`. */
  readonly requests: string[] = [];
  /** What Docker answers comes later by so much. Default 0. */
  delayMilliseconds = 0;
  readonly #folder = mkdtempSync("/tmp/local-test-docker-");
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  readonly #server = createServer({ allowHalfOpen: true }, (client) => this.#join(client));
  #isSilent = false;

  private constructor() {
    chmodSync(this.#folder, 0o755);
    this.host = `unix://${this.#folder}/docker.sock`;
  }

  static async start(): Promise<DockerProxy> {
    const proxy = new DockerProxy();
    proxy.#server.listen(`${proxy.#folder}/docker.sock`);
    await once(proxy.#server, "listening");
    chmodSync(`${proxy.#folder}/docker.sock`, 0o666);
    return proxy;
  }

  /** As after the death of a daemon: every connection breaks, and nobody listens any more. */
  cut(): void {
    this.#server.close();
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
  }

  /** As of a daemon that hangs: it accepts, and says nothing. */
  silence(): void {
    this.#isSilent = true;
    for (const [, docker] of this.#pairs) docker.pause();
  }

  close(): void {
    this.cut();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #join(client: Socket): void {
    const path = (testDockerHost ?? "").slice("unix://".length);
    const docker = connect({ path, allowHalfOpen: true });
    const pair = [client, docker] as const;
    this.#pairs.add(pair);
    for (const socket of pair) {
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#pairs.delete(pair);
        client.destroy();
        docker.destroy();
      });
    }
    client.on("data", (data: Buffer) => {
      const line = REQUEST_LINE.exec(data.toString("latin1", 0, 500))?.[0];
      if (line !== undefined) this.requests.push(line);
      docker.write(data);
    });
    client.on("end", () => docker.end());
    docker.on("data", (data: Buffer) => this.#later(() => client.write(data)));
    docker.on("end", () => this.#later(() => client.end()));
    if (this.#isSilent) docker.pause();
  }

  #later(work: () => void): void {
    if (this.delayMilliseconds === 0) work();
    else setTimeout(work, this.delayMilliseconds);
  }
}
