import { State } from "@tidybox/protocol";
import { expect, test } from "vitest";
import { ConfigurationError } from "../errors/request-errors.ts";
import { sandboxRecord, startFaultService } from "../testing/fault-service.ts";
import { Sandbox } from "./sandbox.ts";

test("reads all pages, with the same filters, only as far as somebody reads", async () => {
  const tokens: string[] = [];
  await using service = await startFaultService({
    listSandboxes: ({ pageToken, tags, state, showTerminated }) => {
      expect({ tags, state, showTerminated }).toEqual({
        tags: ["a", "b"],
        state: State.RUNNING,
        showTerminated: true,
      });
      tokens.push(pageToken);
      const page = tokens.length;
      return {
        sandboxes: [
          sandboxRecord(State.RUNNING, `sb-${page}a`),
          sandboxRecord(State.RUNNING, `sb-${page}b`),
        ],
        nextPageToken: pageToken === "2" ? "" : String(Number(pageToken) + 1),
      };
    },
  });
  const list = Sandbox.list({
    connection: service.connection,
    tags: ["a", "b"],
    status: "running",
    showTerminated: true,
  });
  expect((await list.toArray()).map(({ id }) => id)).toEqual([
    "sb-1a",
    "sb-1b",
    "sb-2a",
    "sb-2b",
    "sb-3a",
    "sb-3b",
  ]);
  expect(tokens).toEqual(["", "1", "2"]);
  for await (const first of list) {
    expect(first.state).toBe("running");
    break;
  }
  expect(tokens).toEqual(["", "1", "2", ""]);
});

test("a page that repeats is an error, not an endless loop", async () => {
  await using service = await startFaultService({
    listSandboxes: () => ({ sandboxes: [], nextPageToken: "again" }),
  });
  await expect(Sandbox.list({ connection: service.connection }).toArray()).rejects.toMatchObject({
    code: "endless_listing",
  });
});

test("more pages than can be are an error", async () => {
  let calls = 0;
  await using service = await startFaultService({
    listSandboxes: () => {
      calls += 1;
      return { sandboxes: [], nextPageToken: String(calls) };
    },
  });
  await expect(Sandbox.list({ connection: service.connection }).toArray()).rejects.toMatchObject({
    code: "endless_listing",
  });
  expect(calls).toBe(100);
});

test("refuses filters that match nothing ever", async () => {
  await using service = await startFaultService({});
  const { connection } = service;
  expect(() => Sandbox.list({ connection, tags: ["bad tag"] })).toThrow(ConfigurationError);
  expect(() => Sandbox.list({ connection, status: "unknown" })).toThrow(/status/);
});
