import { Code } from "@connectrpc/connect";
import { ErrorInfoSchema, isTerminal, State } from "@tidybox/protocol";
import { expect } from "vitest";
import {
  connectTo,
  refusalOf,
  sh,
  untilEnded,
} from "../../../packages/local/src/testing/test-service.ts";
import { section } from "../contract.ts";
import { mainScript, stubborn } from "../main-processes.ts";
import { running, started } from "../sandboxes.ts";
import { changes, stateOf, watched } from "../watched-states.ts";

const MEBIBYTE = 1024 * 1024;

/** The lines of the reference's checklist that are about lifecycle and errors, each as a client's day. */
export const checklist = section("8", (says) => {
  says(
    "8.1 plain HTTP/2: large messages on one connection do not hold up another",
    async (context) => {
      const { service, sandboxes } = context.bed;
      const sandboxId = await running(context);
      const content = new Uint8Array(30 * MEBIBYTE);
      const others = Array.from({ length: 3 }, () => connectTo(service.baseUrl, service.token));
      const writes = others.map((client, index) =>
        client.writeFile({ sandboxId, path: `file-${index}`, content }),
      );
      expect((await sandboxes.getSandbox({ sandboxId })).sandboxId).toBe(sandboxId);
      await Promise.all(writes);
      const { stdout } = await sh(sandboxes, sandboxId, "cat file-0 file-1 file-2 | wc -c");
      expect(Number(stdout)).toBe(others.length * content.length);
    },
  );

  says(
    "8.2 (our choice) the key is needed, and without one the answer tells how to send it",
    async ({ bed }) => {
      const client = connectTo(bed.service.baseUrl, undefined);
      expect(await refusalOf(client.listSandboxes({}))).toMatchObject({
        code: Code.Unauthenticated,
        message: expect.stringContaining("authorization: Bearer"),
      });
    },
  );

  says("8.3 Create, Get and List tell the same of one sandbox", async (context) => {
    const { sandboxes } = context.bed;
    const rest = { volumes: [{ name: "v", source: { case: "scratch", value: {} } }] } as const;
    const sandboxId = await running(context, {}, { volumes: [...rest.volumes] });
    const got = await sandboxes.getSandbox({ sandboxId });
    const listed = await sandboxes.listSandboxes({ tags: [context.tag] });
    expect(listed.sandboxes).toEqual([got]);
    expect(got.spec?.volumes.map(({ name }) => name)).toEqual(["v"]);
    expect(got.status?.createTime).toBeDefined();
  });

  says(
    "8.4 from the first Get to the last: a state, and with COMPLETED its code",
    async (context) => {
      const { sandboxId } = await started(context, mainScript("sleep 0.05; exit 7"));
      const seen = await watched(context, sandboxId);
      for (const sandbox of seen) {
        expect(stateOf(sandbox)).not.toBe(State.UNSPECIFIED);
        if (stateOf(sandbox) === State.RUNNING) {
          expect(sandbox.status?.startTime).toBeDefined();
          expect(sandbox.status?.runnerId).not.toBe("");
        }
      }
      expect(seen.at(-1)?.status).toMatchObject({ state: State.COMPLETED, exitCode: 7 });
    },
  );

  says("8.5 Delete answers long before the grace is over, with the sandbox", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await stubborn(context);
    // The deadline is a small part of the grace: an answer that waited for the end would miss it.
    const { sandbox } = await sandboxes.deleteSandbox(
      { sandboxId, gracePeriodSeconds: 300 },
      { timeoutMs: 10_000 },
    );
    expect(sandbox?.sandboxId).toBe(sandboxId);
    const gone = await sandboxes.deleteSandbox({ sandboxId: "sb-none", allowMissing: true });
    expect(gone.sandbox).toBeUndefined();
  });

  says(
    "8.6 after Delete it is TERMINATING, soon terminal, and its record stays",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await running(context);
      const { sandbox } = await sandboxes.deleteSandbox({ sandboxId, gracePeriodSeconds: 10 });
      const seen = [...(sandbox ? [sandbox] : []), ...(await watched(context, sandboxId))];
      expect([[State.TERMINATING, State.TERMINATED], [State.TERMINATED]]).toContainEqual(
        changes(seen),
      );
      const { sandboxes: kept } = await sandboxes.listSandboxes({
        tags: [context.tag],
        showTerminated: true,
      });
      expect(kept.map((each) => each.sandboxId)).toEqual([sandboxId]);
    },
  );

  says(
    "8.7 List: active ones, then all, then by a terminal state; the token is empty",
    async (context) => {
      const { sandboxes } = context.bed;
      const ended = await started(context, mainScript("exit 0"), { tags: ["kind-a"] });
      await untilEnded(sandboxes, ended.sandboxId);
      const alive = await running(context, {}, { tags: ["kind-a"] });
      const listed = async (filter: object): Promise<readonly string[]> => {
        const answer = await sandboxes.listSandboxes({ tags: [context.tag, "kind-a"], ...filter });
        expect(answer.nextPageToken).toBe("");
        return answer.sandboxes.map(({ sandboxId }) => sandboxId);
      };
      expect(await listed({})).toEqual([alive]);
      expect(await listed({ showTerminated: true })).toEqual([ended.sandboxId, alive]);
      expect(await listed({ state: State.COMPLETED })).toEqual([ended.sandboxId]);
      expect(isTerminal(stateOf(await sandboxes.getSandbox({ sandboxId: alive })))).toBe(false);
    },
  );

  says(
    "8.13 an unknown id: NOT_FOUND, its reason, and the domain that makes it trusted",
    async ({ bed }) => {
      const { code, error } = await refusalOf(bed.sandboxes.getSandbox({ sandboxId: "sb-none" }));
      expect(code).toBe(Code.NotFound);
      expect(error.findDetails(ErrorInfoSchema)).toMatchObject([
        { domain: "cwsandbox.com", reason: "CWSANDBOX_SANDBOX_NOT_FOUND" },
      ]);
    },
  );
});
