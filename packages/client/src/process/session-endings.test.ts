/** Starts and stops of a session that are under way, or wait for their turn, when the process ends. */
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { refusal } from "../testing/fault-service.ts";
import { type FaultyFront, never, startFaultyFront } from "../testing/faulty-front.ts";
import { type TestService, startTestService } from "../testing/local-service.ts";
import { nothingLeft, startScript } from "../testing/script.ts";
import { tally } from "../testing/tally.ts";

let service: TestService;
beforeAll(async () => {
  service = await startTestService({ faults: { latency: { stop: "300ms" } } });
});
afterAll(async () => service?.[Symbol.asyncDispose]());

/** Six sandboxes, released: two stops are under way, four wait. */
const SIX = `
  const session = new Session({ defaults: { tags }, maxStopping: 2 });
  const sandboxes = await session.sandboxes(6);
  for (const sandbox of sandboxes) session.release(sandbox, { gracefulShutdownSeconds: 0 });
`;

test.each([
  { name: "normal end, nobody closes", body: "", status: 0 },
  { name: "normal end after a close", body: "await session.close();", status: 0 },
  { name: "leaving the session's block", body: "await session[Symbol.asyncDispose]();", status: 0 },
  { name: "process.exit()", body: "process.exit(3);", status: 3 },
  { name: "uncaught error", body: `throw new Error("boom");`, status: 1 },
])("released, then $name: nothing is left", async ({ name, body, status }) => {
  const tag = `released-${name.replaceAll(/\W+/g, "-")}`.replace(/-$/, "");
  const { connection } = service;
  const script = startScript(`${SIX} say("released"); ${body}`, { connection, tag });
  const end = await script.ended;
  expect(end.stderr).not.toContain("TidyboxWarning");
  expect(end.status).toBe(status);
  await nothingLeft(connection, tag);
  expect(await tally(connection, { tag, day: `6 released, ${name}` })).toEqual({
    made: 6,
    stopped: 6,
    left: 0,
  });
});

test.each(["SIGINT", "SIGTERM"] as const)(
  "released, then %s: nothing is left, also of what waits",
  async (signal) => {
    const tag = `released-${signal}`;
    await using front = await startFaultyFront(service.connection, () => ({
      // Two that hang hold up the rest of the queue, and not the end of the process.
      before: (rpc, count, aborted) =>
        rpc === "deleteSandbox" && count <= 2 ? never(aborted) : undefined,
    }));
    const { connection } = front;
    const script = startScript(`${SIX} say("released"); await sleep(60_000);`, { connection, tag });
    await script.printed("released");
    await waitFor(front, 2);
    script.signal(signal, "group");
    expect((await script.ended).status).toBe(signal === "SIGINT" ? 130 : 143);
    await nothingLeft(service.connection, tag);
    expect(
      await tally(service.connection, { tag, day: `6 released, 2 stops hang, ${signal}` }),
    ).toEqual({ made: 6, stopped: 6, left: 0 });
  },
);

test("killed in the middle: what waits ends with its lifetime", async () => {
  const tag = "released-SIGKILL";
  await using front = await startFaultyFront(service.connection, () => ({
    before: (rpc, _count, aborted) => (rpc === "deleteSandbox" ? never(aborted) : undefined),
  }));
  const body = SIX.replace("sandboxes(6)", "sandboxes(6, { maxLifetimeSeconds: 5 })");
  const script = startScript(`${body} say("released"); await sleep(60_000);`, {
    connection: front.connection,
    tag,
  });
  await script.printed("released");
  await waitFor(front, 2);
  script.signal("SIGKILL", "group");
  await script.ended;
  await nothingLeft(service.connection, tag);
  expect(await tally(service.connection, { tag, day: "6 released, SIGKILL" })).toMatchObject({
    made: 6,
    left: 0,
  });
});

/** Two starts are under way, refused again and again, and ten wait for their turn. */
const TWELVE = `
  const session = new Session({ defaults: { tags }, maxStarting: 2 });
  const starts = Array.from({ length: 12 }, () => session.sandbox().catch((error) => error.code));
  const rest = Promise.all(starts.slice(2)).then((codes) => say(codes.join(" ")));
  await sleep(500);
  say("waiting");
`;
const TEN_REFUSED = Array(10).fill("process_ending").join(" ");

test.each([
  // The helper finds the two by their keys, or makes them for that, and stops them.
  { name: "process.exit()", body: "setTimeout(() => process.exit(3), 50);", status: 3, made: 2 },
  { name: "SIGINT", body: "", status: 130, made: 0 },
  { name: "SIGTERM", body: "", status: 143, made: 0 },
])("starts that wait at $name are not begun", async ({ name, body, status, made }) => {
  const tag = `waiting-${status}`;
  let ending = false;
  await using front = await startFaultyFront(service.connection, () => ({
    before: (rpc) => {
      if (rpc === "createSandbox" && !ending)
        throw refusal(Code.ResourceExhausted, "", { retryNanos: 100e6 });
    },
  }));
  const script = startScript(`${TWELVE} ${body} await sleep(60_000);`, {
    connection: front.connection,
    tag,
  });
  await script.printed("waiting");
  if (status > 128) script.signal(status === 130 ? "SIGINT" : "SIGTERM");
  // From now on whatever is asked for is made.
  else await script.ended;
  ending = true;
  const { stderr, ...end } = await script.ended;
  expect(end.status).toBe(status);
  if (status > 128) expect(stderr).toContain(TEN_REFUSED);
  const counts = () => tally(service.connection, { tag, day: `12 starts, ${name}` });
  await vi.waitFor(async () => expect((await counts()).made).toBeGreaterThanOrEqual(made), 10_000);
  await nothingLeft(service.connection, tag);
  const { made: all } = await counts();
  expect(all).toBeLessThanOrEqual(2);
});

async function waitFor(front: FaultyFront, deletes: number): Promise<void> {
  while (front.calls("deleteSandbox") < deletes)
    await new Promise((resolve) => setTimeout(resolve, 5));
}
