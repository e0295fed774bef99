import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { request } from "node:http";
import { networkInterfaces } from "node:os";
import { text } from "node:stream/consumers";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  EndpointAuth,
  EndpointKind,
  type Sandbox,
  State,
  Visibility,
  ServiceProtocol,
} from "@tidybox/protocol";
import { descendantsOf, procFile } from "../../testing/process-tree.ts";
import {
  createRunning,
  eventually,
  pause,
  run,
  sh,
  specOf,
  startTestService,
  type SpecInit,
  type TestService,
  until,
  untilEnded,
} from "../../testing/test-service.ts";
import { NO_BRIDGE, testDockerGateway } from "../../testing/tested-engines.ts";

const PUBLIC = { visibility: Visibility.PUBLIC };

/** Echoes what it gets, and says its name when the client has said all: each half ends by itself. */
const ECHO = `
  process.on("SIGTERM", () => {});
  const name = process.argv[1], ports = process.argv.slice(2);
  for (const port of ports) require("node:net").createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    socket.on("data", (data) => socket.write(data) || (socket.pause(), socket.once("drain", () => socket.resume())));
    socket.on("end", () => socket.end(name + ":" + port));
  }).listen(port, () => console.log("listening"));
`;

function echoing(name: string, ports: readonly number[], rest: SpecInit): SpecInit {
  return specOf({ command: "node", args: ["-e", ECHO, name, ...ports.map(String)] }, rest);
}

/** Processes below the service that lead to ports. */
function relays(service: TestService): readonly number[] {
  return descendantsOf(service.process.pid ?? 0).filter((pid) =>
    procFile(pid, "cmdline").includes("relay-main"),
  );
}

async function open(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  await once(socket, "connect");
  // Whoever reads it hears of it; so that nobody else does.
  return socket.on("error", () => {});
}

/** What comes until the other side ends its half; ours stays as it is. */
function half(socket: Socket): Promise<string> {
  let heard = "";
  socket.setEncoding("utf8").on("data", (data: string) => (heard += data));
  return new Promise((resolve) => {
    for (const event of ["end", "close"]) socket.once(event, () => resolve(heard));
  });
}

/** What the server answers to `said`, which ends when we have said it; retried until it listens. */
async function ask(url: string, said: string): Promise<string> {
  for (;;) {
    try {
      const socket = await open(url);
      socket.end(said);
      const answer = await text(socket);
      // Docker accepts, and then says nothing.
      if (answer !== "") return answer;
      await pause(10);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ECONNRESET") throw error;
    }
  }
}

function urlOf({ status }: Sandbox, port: number): string {
  return status?.services.find((service) => service.port === port)?.url ?? "none";
}

const engines = [
  "bubblewrap",
  ...(testDockerGateway === undefined ? [] : ["docker" as const]),
] as const;

test.skipIf(testDockerGateway !== undefined)("services of docker", (context) =>
  context.skip(NO_BRIDGE),
);

describe.each(engines)("services of a sandbox of %s", (engine) => {
  /** Docker leads to ports by itself; bubblewrap by a process of the service. */
  const hasRelays = engine === "bubblewrap";
  const OWN_WAY = "Docker leads to ports in its own way";

  let service: TestService;
  beforeAll(async () => {
    service = await startTestService({ engine });
  });
  afterAll(() => service.close());
  afterEach(() => service.client.purgeSandboxes({ purgeAll: true }));

  const start = async (spec: SpecInit): Promise<Sandbox> => {
    const sandboxId = await createRunning(service.client, spec);
    return service.client.getSandbox({ sandboxId });
  };

  test("are reached at their URLs, of two sandboxes on the same ports at once", async () => {
    const services = [
      { port: 8080, name: "web", ...PUBLIC },
      { port: 9090, ...PUBLIC },
    ];
    const [one, two] = await Promise.all([
      start(echoing("one", [8080, 9090], { services })),
      start(echoing("two", [8080, 9090], { services })),
    ]);
    expect(one.status?.services).toMatchObject([
      { port: 8080, name: "web", protocol: ServiceProtocol.TCP, visibility: Visibility.PUBLIC },
      { port: 9090, name: "", protocol: ServiceProtocol.TCP, visibility: Visibility.PUBLIC },
    ]);
    expect(urlOf(one, 8080)).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(await ask(urlOf(one, 8080), "hello ")).toBe("hello one:8080");
    expect(await ask(urlOf(one, 9090), "hello ")).toBe("hello one:9090");
    expect(await ask(urlOf(two, 8080), "hello ")).toBe("hello two:8080");
    expect(await ask(urlOf(two, 9090), "hello ")).toBe("hello two:9090");
  });

  test("lead into whichever container listens, by one relay", async () => {
    const container = (name: string, ports: readonly number[]) => ({
      ...{ name, image: "python:3.11", command: "node" },
      args: ["-e", ECHO, name, ...ports.map(String)],
    });
    const before = relays(service).length;
    const sandbox = await start({
      containers: [container("web", [8080]), container("side", [9090])],
      primaryContainer: "web",
      initContainers: [{ name: "init", image: "python:3.11", command: "true" }],
      services: [
        { port: 8080, ...PUBLIC },
        { port: 9090, ...PUBLIC },
      ],
    });
    expect(await ask(urlOf(sandbox, 8080), "hello ")).toBe("hello web:8080");
    expect(await ask(urlOf(sandbox, 9090), "hello ")).toBe("hello side:9090");
    if (hasRelays) expect(relays(service)).toHaveLength(before + 1);
  });

  test("pass halves that end by themselves, from either side", async () => {
    const script = `require("node:net").createServer({ allowHalfOpen: true }, (socket) => {
      socket.end("all I say");
      let heard = "";
      socket.on("data", (data) => heard += data).on("end", () => console.log("heard " + heard));
    }).listen(80)`;
    const spec = specOf(
      { command: "node", args: ["-e", script] },
      { services: [{ port: 80, ...PUBLIC }] },
    );
    const sandbox = await start(spec);
    let socket: Socket | undefined;
    await eventually(async () => {
      socket = await open(urlOf(sandbox, 80)).catch(() => undefined);
      return socket !== undefined && (await half(socket)) === "all I say";
    });
    // It has ended its half, and still hears ours.
    socket?.end("all of it");
    const log = service.client.streamLogs({ sandboxId: sandbox.sandboxId, follow: true });
    let printed = "";
    for await (const { data } of log) {
      printed += Buffer.from(data).toString();
      if (printed.includes("heard all of it")) break;
    }
    expect(printed).toContain("heard all of it");
  });

  test("pass much at once, both ways, to a slow reader too", async () => {
    const sandbox = await start(echoing("", [80], { services: [{ port: 80, ...PUBLIC }] }));
    await ask(urlOf(sandbox, 80), "");
    const chunk = randomBytes(1 << 20);
    const [sent, got] = [createHash("sha256"), createHash("sha256")];
    const socket = await open(urlOf(sandbox, 80));
    const reading = (async () => {
      await pause(200);
      let bytes = 0;
      const end = Buffer.byteLength(":80");
      for await (const data of socket as AsyncIterable<Buffer>) {
        bytes += data.length;
        const over = Math.max(0, bytes - 64 * chunk.length);
        got.update(data.subarray(0, data.length - Math.min(over, end)));
      }
      return bytes - end;
    })();
    for (let count = 0; count < 64; count += 1) {
      sent.update(chunk);
      if (!socket.write(chunk)) await once(socket, "drain");
    }
    socket.end();
    expect(await reading).toBe(64 * chunk.length);
    expect(got.digest("hex")).toBe(sent.digest("hex"));
  });

  test("pass many connections at once", async () => {
    const sandbox = await start(echoing("it", [80], { services: [{ port: 80, ...PUBLIC }] }));
    const url = urlOf(sandbox, 80);
    await ask(url, "");
    const sockets = await Promise.all(Array.from({ length: 300 }, () => open(url)));
    // All of them are open before the first is used.
    const answers = await Promise.all(
      sockets.map((socket, index) => {
        socket.end(`${index} `);
        return text(socket);
      }),
    );
    expect(answers).toEqual(sockets.map((_, index) => `${index} it:80`));
  });

  test("pass an upgrade to another protocol, as WebSocket does", async () => {
    const script = `require("node:http").createServer().on("upgrade", (request, socket) => {
      socket.write("HTTP/1.1 101 Switching Protocols\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n\\r\\n");
      socket.on("data", (data) => socket.write("echo " + data));
    }).listen(80)`;
    const spec = specOf(
      { command: "node", args: ["-e", script] },
      { services: [{ port: 80, ...PUBLIC }] },
    );
    const url = urlOf(await start(spec), 80);
    const upgraded = async (): Promise<Socket> => {
      const headers = { connection: "Upgrade", upgrade: "websocket" };
      const [, socket] = (await once(request(url, { headers }).end(), "upgrade")) as [
        unknown,
        Socket,
      ];
      return socket;
    };
    let socket: Socket | undefined;
    await eventually(async () => (socket = await upgraded().catch(() => undefined)) !== undefined);
    for (const word of ["one", "two"]) {
      socket?.write(word);
      const [data] = (await once(socket as Socket, "data")) as [Buffer];
      expect(data.toString()).toBe(`echo ${word}`);
    }
    socket?.destroy();
  });

  test("break a connection where nothing listens, and lead to what listens later", async () => {
    const { sandboxId, ...sandbox } = await start(
      specOf({}, { services: [{ port: 80, ...PUBLIC }] }),
    );
    const url = urlOf({ sandboxId, ...sandbox }, 80);
    const answer = await open(url).then(
      (socket) => text(socket).catch((error: NodeJS.ErrnoException) => error.code),
      (error: NodeJS.ErrnoException) => error.code,
    );
    expect(hasRelays ? ["ECONNRESET"] : ["ECONNRESET", ""]).toContain(answer);
    await sh(
      service.client,
      sandboxId,
      `node -e '${ECHO.replaceAll("'", '"')}' late 80 >/dev/null 2>&1 &`,
    );
    expect(await ask(url, "here ")).toBe("here late:80");
  });

  test("have the same URL in every look, and none before and after they run", async () => {
    const spec = echoing("it", [80], { services: [{ port: 80, ...PUBLIC }] });
    const created = await service.client.createSandbox({ sandbox: { spec } });
    if (created.status?.state !== State.RUNNING) expect(urlOf(created, 80)).toBe("");
    const { sandboxId } = created;
    const seen = await until(service.client, sandboxId, (state) => state === State.RUNNING);
    const { sandboxes } = await service.client.listSandboxes({});
    const listed = sandboxes.find((each) => each.sandboxId === sandboxId);
    expect(listed?.status?.services).toEqual(seen.status?.services);
    expect(await ask(urlOf(seen, 80), "")).toBe("it:80");
    await service.client.deleteSandbox({ sandboxId, gracePeriodSeconds: 60 });
    const ending = await service.client.getSandbox({ sandboxId });
    expect(ending.status).toMatchObject({ state: State.TERMINATING, services: [{ url: "" }] });
    await service.client.deleteSandbox({ sandboxId });
    const ended = await untilEnded(service.client, sandboxId);
    expect(ended.status?.services).toMatchObject([{ port: 80, url: "" }]);
  });

  test("close with their sandbox, and so do the connections and the process between", async () => {
    const spec = echoing("it", [80], { services: [{ port: 80, ...PUBLIC }] });
    const sandbox = await start(spec);
    const { sandboxId } = sandbox;
    const url = urlOf(sandbox, 80);
    await ask(url, "");
    if (hasRelays) expect(relays(service)).toHaveLength(1);
    const socket = await open(url);
    const broken = once(socket, "close");
    socket.on("end", () => socket.end());
    socket.write("hello");
    await once(socket, "data");
    await service.client.deleteSandbox({ sandboxId });
    await untilEnded(service.client, sandboxId);
    await broken;
    await expect(open(url)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    expect(relays(service)).toEqual([]);
  });

  test("show no URL any more when the process between has died, and the sandbox goes on", async (context) => {
    if (!hasRelays) context.skip(OWN_WAY);
    const sandbox = await start(echoing("it", [80], { services: [{ port: 80, ...PUBLIC }] }));
    const { sandboxId } = sandbox;
    process.kill(relays(service)[0] ?? 0, "SIGKILL");
    await eventually(async () => urlOf(await service.client.getSandbox({ sandboxId }), 80) === "");
    await expect(open(urlOf(sandbox, 80))).rejects.toMatchObject({ code: "ECONNREFUSED" });
    expect((await run(service.client, sandboxId, "echo", "here")).stdout).toBe("here\n");
  });

  test("are joined by a process without capabilities, which the sandbox cannot see", async (context) => {
    if (!hasRelays) context.skip(OWN_WAY);
    const { sandboxId } = await start(specOf({}, { services: [{ port: 80, ...PUBLIC }] }));
    const [relay = 0] = relays(service);
    const status = readFileSync(`/proc/${relay}/status`, "latin1");
    expect(status).toMatch(/^CapEff:\t0{16}$/m);
    expect(status).toMatch(/^CapBnd:\t0{16}$/m);
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    // Of all pid namespaces, it is only in the service's.
    expect(status).toMatch(/^NSpid:\t\d+$/m);
    const { stdout } = await sh(
      service.client,
      sandboxId,
      "cat /proc/[0-9]*/cmdline | tr '\\0' ' '",
    );
    expect(stdout).not.toContain("relay");
  });

  test("are only on the host's loopback, and lead nowhere else", async (context) => {
    if (!hasRelays) context.skip("a sandbox of docker that has services has egress too");
    const host = createServer((socket) => socket.end("hello from the host")).listen(0, "127.0.0.1");
    await once(host, "listening");
    try {
      const { port } = host.address() as AddressInfo;
      const sandbox = await start(echoing("it", [80], { services: [{ port: 80, ...PUBLIC }] }));
      const connectOut = `exec 3<>/dev/tcp/127.0.0.1/${port} && cat <&3`;
      const { exitCode, stdout } = await run(
        service.client,
        sandbox.sandboxId,
        "/bin/bash",
        "-c",
        connectOut,
      );
      expect([exitCode === 0, stdout]).toEqual([false, ""]);
      expect(sandbox.status?.effectiveEgress).toEqual([]);
      const address = Object.values(networkInterfaces())
        .flat()
        .find((each) => each?.internal === false);
      if (address === undefined) return;
      const url = new URL(urlOf(sandbox, 80));
      const reached = once(connect(Number(url.port), address.address), "connect");
      await expect(reached).rejects.toMatchObject({ code: "ECONNREFUSED" });
    } finally {
      host.close();
    }
    expect(await service.notices()).toMatchObject([{ code: "services_without_egress" }]);
  });

  test("are closed unless they are declared reachable", async () => {
    const ports = [
      { port: 1 },
      { port: 2, protocol: ServiceProtocol.UDP },
      { port: 3, visibility: Visibility.CUSTOM },
    ];
    const denied = await start(specOf({}, { services: ports, network: { denyIngress: true } }));
    expect(denied.status).toMatchObject({
      services: [{ url: "" }, { url: "", protocol: ServiceProtocol.UDP }, { url: "" }],
      effectiveIngress: [],
    });
    expect(relays(service)).toEqual([]);
    const allowed = await start(specOf({}, { services: ports }));
    expect(allowed.status).toMatchObject({
      services: [{ url: "" }, { url: "" }, { url: expect.stringContaining("http:") }],
      effectiveIngress: [{ source: { case: "any", value: true } }],
    });
    const some = [{ port: 20, endPort: 29 }];
    const ruled = await start(
      specOf(
        {},
        {
          services: [20, 29, 30].map((port) => ({ port, visibility: Visibility.CUSTOM })),
          network: { ingress: [{ source: { case: "any", value: true }, ports: some }] },
        },
      ),
    );
    expect(ruled.status).toMatchObject({
      services: [
        { url: expect.stringContaining("http:") },
        { url: expect.stringContaining("http:") },
        { url: "" },
      ],
      effectiveIngress: [{ ports: some }],
    });
  });

  test("have the http:// address of an endpoint here, in its own place, with a notice", async () => {
    const endpoint = { kind: EndpointKind.HTTPS, auth: EndpointAuth.OPEN };
    const sandbox = await start(
      echoing("it", [80], { services: [{ port: 80, ...PUBLIC, endpoint }] }),
    );
    const [web] = sandbox.status?.services ?? [];
    expect(web).toMatchObject({ url: "", endpoint: { ...endpoint, url: /^http:/ } });
    expect(await ask(web?.endpoint?.url ?? "", "")).toBe("it:80");
    const codes = (await service.notices()).map(({ code }) => code);
    expect(codes).toContain("endpoint_without_tls");
    const { sandboxId } = sandbox;
    await service.client.deleteSandbox({ sandboxId, gracePeriodSeconds: 60 });
    const { status } = await service.client.getSandbox({ sandboxId });
    expect(status?.state).toBe(State.TERMINATING);
    expect(status?.services[0]?.endpoint).toMatchObject({ ...endpoint, url: "" });
  });
});

test.each(["service", "helper"] as const)(
  "a %s that is killed takes the ports along",
  async (which) => {
    const service = await startTestService({ engine: "bubblewrap" });
    try {
      const spec = echoing("it", [80], { services: [{ port: 80, ...PUBLIC }] });
      const sandboxId = await createRunning(service.client, spec);
      const url = urlOf(await service.client.getSandbox({ sandboxId }), 80);
      await ask(url, "");
      const [relay] = relays(service);
      const helper = Number(
        /^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${relay}/status`, "latin1"))?.[1],
      );
      process.kill(which === "service" ? (service.process.pid ?? 0) : helper, "SIGKILL");
      await eventually(() => procFile(relay ?? 0, "cmdline") === "");
      // A process that ends gives up its command line first.
      await eventually(() =>
        open(url).then(
          (socket) => !socket.destroy(),
          (error: NodeJS.ErrnoException) => error.code === "ECONNREFUSED",
        ),
      );
    } finally {
      // A service that was killed leaves its folder to the next one (crash.test.ts).
      await service.close().catch((error: Error) => {
        if (which === "helper") throw error;
      });
    }
  },
);
