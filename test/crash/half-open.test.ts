import { describe, expect, inject, test } from "vitest";
import { configFile, makeProject } from "../support/bed.ts";
import { runVitest } from "../support/runner.ts";

/** A worker of its own process, whose lease goes through a proxy. */
const HOLDER = `
import { Worker } from "@tidybox/fixtures";
const info = await new Promise((resolve) => process.once("message", resolve));
const worker = await Worker.open(info);
const owner = { testName: "held", testFile: "", testTimeoutSeconds: 0, ownerId: "held" };
process.send((await worker.acquire({}, owner)).id);
process.once("message", () => {
  const until = Date.now() + 14_000;
  while (Date.now() < until);
  process.send("still here");
});
setInterval(() => {}, 1000);
`;

/** Stops forwarding at a word: what its far ends close reaches nobody then, as in a cut cable. */
const TEST = `
import { fork } from "node:child_process";
import { connect, createServer } from "node:net";
import { once } from "node:events";
import { expect, inject, test } from "vitest";
import { Connection, Sandbox } from "@tidybox/client";

async function proxyTo(baseUrl) {
  const sockets = [];
  let forwards = true;
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ port: Number(new URL(baseUrl).port), allowHalfOpen: true });
    for (const [one, other] of [[near, far], [far, near]]) {
      sockets.push(one);
      one.on("error", () => {});
      one.on("data", (chunk) => forwards && other.write(chunk));
      one.on("end", () => forwards && other.end());
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    baseUrl: "http://127.0.0.1:" + server.address().port,
    freeze: () => (forwards = false),
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

test("half-open", async () => {
  const info = inject("tidybox");
  const connection = new Connection({ baseUrl: info.coordinator.baseUrl, apiKey: info.coordinator.token });
  const proxies = [await proxyTo(info.coordinator.baseUrl), await proxyTo(info.coordinator.baseUrl)];
  const holders = [];
  try {
    const ids = [];
    for (const { baseUrl } of proxies) {
      const holder = fork("./holder.js", { execArgv: [] });
      holders.push(holder);
      holder.send({ ...info, coordinator: { ...info.coordinator, baseUrl } });
      const [id] = await once(holder, "message");
      ids.push(id);
    }
    const there = async () =>
      (await Sandbox.list({ connection }).toArray()).map(({ id }) => id).filter((id) => ids.includes(id));
    expect(await there()).toHaveLength(2);
    const [vanishing, blocked] = holders;
    const answered = once(blocked, "message");
    blocked.send("block");
    proxies[0].freeze();
    vanishing.kill("SIGKILL");
    await expect.poll(there, { timeout: 10_000 }).toEqual([ids[1]]);
    expect(await answered).toEqual(["still here", undefined]);
    expect(await there()).toEqual([ids[1]]);
  } finally {
    for (const holder of holders) holder.kill("SIGKILL");
    for (const proxy of proxies) proxy.close();
    connection.close();
  }
}, 60_000);
`;

describe.each(inject("beds").slice(-1))("Vitest $version", (bed) => {
  test("a worker whose end never arrives is found out, and one that blocks its event loop is not taken for it", async () => {
    await using project = await makeProject(bed, {
      "holder.js": HOLDER,
      "a.test.ts": TEST,
      "vitest.config.ts": configFile("{}"),
    });
    const run = await runVitest(project, { args: ["--pool=forks"] });
    expect(run.exitCode, run.output).toBe(0);
    expect(run.account).toMatch(/2 sandboxes: 2 reaped after a crash, 0 left/);
  });
});
