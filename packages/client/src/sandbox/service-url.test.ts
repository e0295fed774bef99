import { create } from "@bufbuild/protobuf";
import {
  EndpointAuth,
  EndpointKind,
  type Sandbox as SandboxRecord,
  ServiceSchema,
  ServiceStatusSchema,
  State,
  Visibility,
} from "@tidybox/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ConfigurationError, TimeoutError } from "../errors/request-errors.ts";
import { SandboxClosedError } from "../errors/sandbox-errors.ts";
import { sandboxRecord, startFaultService } from "../testing/fault-service.ts";
import { type TestService, startTestService } from "../testing/local-service.ts";
import { attachSandbox } from "./attach.ts";
import { Sandbox } from "./sandbox.ts";

let service: TestService;
beforeAll(async () => {
  service = await startTestService({ engine: "bubblewrap" });
});
afterAll(async () => service?.[Symbol.asyncDispose]());

/** Says when it listens. */
const SERVER = `
  const server = require("node:http").createServer((request, response) => {
    let body = "";
    request.on("data", (data) => (body += data));
    request.on("end", () => response.end(process.argv[1] + " " + request.url + " " + body));
  });
  server.listen(80, () => console.log("listening"));
`;

async function serving(name: string): Promise<Sandbox> {
  const sandbox = await Sandbox.run({
    connection: service.connection,
    services: [{ port: 80, visibility: "public" }],
  });
  const server = await sandbox.spawn(["node", "-e", SERVER, name]);
  for await (const line of server.lines()) if (line === "listening") break;
  return sandbox;
}

test("servers in two sandboxes, on the same port, answer at their URLs", async () => {
  await using one = await serving("one");
  await using two = await serving("two");
  const urls = await Promise.all([one.url(80), two.url(80)]);
  for (const [index, name] of ["one", "two"].entries()) {
    const answer = await fetch(`${urls[index]}/path`, { method: "POST", body: "hello" });
    expect(await answer.text()).toBe(`${name} /path hello`);
  }
  expect((await one.status()).services).toEqual([{ port: 80, name: "", url: urls[0] }]);
});

test("a URL answers no more when its sandbox has been stopped", async () => {
  const sandbox = await serving("it");
  const url = await sandbox.url(80);
  await sandbox.stop();
  await expect(fetch(url)).rejects.toMatchObject({ cause: { code: "ECONNREFUSED" } });
  await expect(sandbox.url(80)).rejects.toThrow(SandboxClosedError);
});

test("the URL of a port that has none is refused at once, with what to do", async () => {
  await using sandbox = await Sandbox.run({
    connection: service.connection,
    services: [{ port: 1 }, { port: 2, visibility: "custom" }],
    network: { denyIngress: true },
  });
  for (const [port, words] of [
    [1, "without a visibility"],
    [2, "denyIngress"],
    [3, "no service on port 3"],
  ] as const) {
    const refused = sandbox.url(port);
    await expect(refused).rejects.toThrow(ConfigurationError);
    await expect(refused).rejects.toThrow(words);
  }
});

/** A sandbox with an endpoint, of which the service says what it knows. */
function declared(port: number, state: State, url = ""): SandboxRecord {
  const record = sandboxRecord(state);
  const endpoint = { kind: EndpointKind.HTTPS, auth: EndpointAuth.OPEN };
  const said = { port, visibility: Visibility.PUBLIC };
  record.spec?.services.push(create(ServiceSchema, { ...said, endpoint }));
  record.status?.services.push(
    create(ServiceStatusSchema, { ...said, endpoint: { ...endpoint, url } }),
  );
  return record;
}

test("a URL that comes late is waited for, and the one of an endpoint will do", async () => {
  let looks = 0;
  await using late = await startFaultService({
    getSandbox: () => {
      looks += 1;
      return declared(443, State.RUNNING, looks < 4 ? "" : "https://it.example");
    },
  });
  const sandbox = attachSandbox(late.connection, "sb-1");
  expect(await sandbox.url(443)).toBe("https://it.example");
  expect(looks).toBe(4);
});

test("the wait for a URL ends in time, by its signal, and with the sandbox", async () => {
  let state: State = State.RUNNING;
  await using never = await startFaultService({ getSandbox: () => declared(80, state) });
  const sandbox = attachSandbox(never.connection, "sb-1");
  await expect(sandbox.url(80, { timeoutSeconds: 0.05 })).rejects.toThrow(TimeoutError);
  const controller = new AbortController();
  const aborted = sandbox.url(80, { signal: controller.signal });
  controller.abort(new Error("enough"));
  await expect(aborted).rejects.toThrow("enough");
  const ended = sandbox.url(80);
  state = State.FAILED;
  await expect(ended).rejects.toThrow(/port 80: it is failed/);
});
