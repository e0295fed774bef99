import { randomUUID } from "node:crypto";
import { expect } from "vitest";
import { Code } from "@connectrpc/connect";
import { ErrorReason, isTerminal, State } from "@tidybox/protocol";
import {
  refusalOf,
  run,
  sh,
  until,
  untilEnded,
} from "../../../packages/local/src/testing/test-service.ts";
import { section } from "../contract.ts";
import { ExecStream, patterned, streamed } from "../exec-streams.ts";
import { folderOf, TELL_PID, untilGone, untilTold } from "../inside-sandbox.ts";
import { readLog } from "../log-streams.ts";
import {
  createAsSdk,
  inFolder,
  isUp,
  keepAlive,
  polled,
  runAsSdk,
  shellOf,
} from "../sdk-dialects.ts";
import { ownConnection } from "../second-connection.ts";

/** The calls of the JavaScript SDK, in its order and with its fields: sandboxes and commands. */
export const jsSdk = section("JavaScript SDK", (says) => {
  says("create: a request id of its own each time, then Get until RUNNING", async (context) => {
    const { sandboxes } = context.bed;
    const main = keepAlive("-lc");
    const first = await createAsSdk(context, main);
    const second = await createAsSdk(context, main);
    expect(second.sandboxId).not.toBe(first.sandboxId);
    for (const { sandboxId } of [first, second]) {
      const { status, spec } = await polled(sandboxes, sandboxId, isUp);
      expect(status?.state).toBe(State.RUNNING);
      expect(status?.runnerId).not.toBe("");
      expect(status?.startTime).toBeDefined();
      expect(spec?.containers[0]).toMatchObject({ name: "main", command: "/bin/sh" });
    }
  });

  says("exec, file and log calls need not wait for RUNNING", async (context) => {
    const { sandboxes } = context.bed;
    const { sandboxId } = await createAsSdk(context, keepAlive("-lc"));
    const target = { sandboxId, path: "early" };
    const [executed, , logged] = await Promise.all([
      run(sandboxes, sandboxId, "echo", "early"),
      sandboxes.writeFile({ ...target, content: Buffer.from("x") }),
      readLog(sandboxes, { sandboxId }),
    ]);
    expect(executed.stdout).toBe("early\n");
    expect(logged).toEqual([]);
    expect(Buffer.from((await sandboxes.readFile(target)).content).toString()).toBe("x");
  });

  says(
    "exec: one unary call without a cap, whose counts and flags go to the caller",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await runAsSdk(context, keepAlive("-lc"));
      const script = "head -c 300000 /dev/zero; printf err >&2; exit 3";
      const answer = await sandboxes.exec({ sandboxId, command: ["/bin/sh", "-c", script] });
      expect(answer.stdout).toHaveLength(300_000);
      expect(Buffer.from(answer.stderr).toString()).toBe("err");
      expect(answer).toMatchObject({
        exitCode: 3,
        stdoutTruncated: false,
        stderrTruncated: false,
        stdoutBytesProduced: 300_000n,
        stderrBytesProduced: 3n,
      });
    },
  );

  says(
    "exec with cwd: a login shell changes to it, with single quotes around every word",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await runAsSdk(context, keepAlive("-lc"));
      const folder = `${await folderOf(sandboxes, sandboxId)}/it's a "$dir"`;
      await run(sandboxes, sandboxId, "mkdir", folder);
      const words = ["printf", "%s|", "plain", "a b", "it's", "$HOME", "", "*", "new\nline", "\\"];
      const printed = await run(sandboxes, sandboxId, ...inFolder("js", folder, words));
      expect(printed).toEqual({
        stdout: words
          .slice(2)
          .map((word) => `${word}|`)
          .join(""),
        stderr: "",
        exitCode: 0,
      });
      const where = await run(sandboxes, sandboxId, ...inFolder("js", folder, ["pwd"]));
      expect(where.stdout).toBe(`${folder}\n`);
    },
  );

  says("a login shell keeps the PATH and the variables of the sandbox", async (context) => {
    const { sandboxes } = context.bed;
    const container = { environmentVariables: { COLOR: "green" } };
    const sandboxId = await runAsSdk(context, keepAlive("-lc"), { container });
    const script = 'command -v cat >/dev/null && printf %s "$COLOR"';
    expect(await run(sandboxes, sandboxId, "/bin/sh", "-lc", script)).toEqual({
      stdout: "green",
      stderr: "",
      exitCode: 0,
    });
  });

  says("a live command without stdin: init, half-close, and reading to exit", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await runAsSdk(context, keepAlive("-lc"));
    const ended = await streamed(sandboxes, sandboxId, "/bin/sh", "-c", "cat; echo out; exit 2");
    expect(ended.order[0]).toBe("ready");
    expect(ended).toMatchObject({ exitCode: 2 });
    expect(ended.stdout.toString()).toBe("out\n");
  });

  says("a live command with stdin: each write is one frame, of any size", async (context) => {
    const sandboxId = await runAsSdk(context, keepAlive("-lc"));
    const stream = new ExecStream(context.bed.sandboxes, { sandboxId, command: ["cat"] });
    await stream.ready();
    const writes = [patterned(3), patterned(200_000), patterned(2_000_000), Buffer.from("end")];
    for (const write of writes) stream.stdin(write);
    stream.close();
    stream.halfClose();
    const { stdout, exitCode } = await stream.exit();
    stream.cancel();
    expect(exitCode).toBe(0);
    expect(stdout.equals(Buffer.concat(writes))).toBe(true);
  });

  says(
    "a terminal session is read until its stream ends, which it does by itself",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await runAsSdk(context, keepAlive("-lc"));
      const command = [await shellOf(sandboxes, sandboxId)];
      const init = { sandboxId, command, tty: true, ttyWidth: 90, ttyHeight: 20 };
      const stream = new ExecStream(sandboxes, init);
      await stream.ready();
      stream.stdin("stty size\n");
      await stream.shows("20 90");
      stream.resize(70, 10);
      stream.stdin("stty size\n");
      await stream.shows("10 70");
      stream.stdin("exit 4\n");
      const ended = await stream.ended();
      stream.halfClose();
      expect([ended.order.at(-1), ended.exitCode]).toEqual(["exit", 4]);
    },
  );

  says("an AbortSignal ends a unary command and a live one", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await runAsSdk(context, keepAlive("-lc"));
    const command = ["/bin/sh", "-c", `${TELL_PID}; sleep 600; true`];
    const abort = new AbortController();
    const unary = refusalOf(sandboxes.exec({ sandboxId, command }, { signal: abort.signal }));
    await untilTold(sandboxes, sandboxId);
    abort.abort();
    expect((await unary).code).toBe(Code.Canceled);
    await untilGone(sandboxes, sandboxId);
    await sh(sandboxes, sandboxId, "rm pid");
    const live = new ExecStream(sandboxes, { sandboxId, command });
    live.halfClose();
    await untilTold(sandboxes, sandboxId).then(() => live.ready());
    live.cancel();
    await untilGone(sandboxes, sandboxId);
  });

  says(
    "stop: Get, Delete with 10 s of grace, then Get to the end; again it is one Get",
    async (context) => {
      const { sandboxes } = context.bed;
      const main = keepAlive("-lc");
      const sandboxId = await runAsSdk(context, main);
      await main.waits(sandboxes, sandboxId);
      const before = await sandboxes.getSandbox({ sandboxId });
      expect(before.status?.state).toBe(State.RUNNING);
      const answer = await sandboxes.deleteSandbox({ sandboxId, gracePeriodSeconds: 10 });
      expect([State.TERMINATING, State.TERMINATED]).toContain(answer.sandbox?.status?.state);
      const ended = await polled(sandboxes, sandboxId, isTerminal);
      expect(ended.status?.exitCode).toBe(0);
      const again = await sandboxes.getSandbox({ sandboxId });
      expect(isTerminal(again.status?.state ?? State.UNSPECIFIED)).toBe(true);
    },
  );

  says(
    "stop of one that is TERMINATING only waits, and Get goes on to the end",
    async (context) => {
      const { sandboxes } = context.bed;
      const script = `trap 'while [ ! -e go ]; do sleep 0.02; done; exit 0' TERM; ${TELL_PID}; while :; do sleep 0.02; done`;
      const sandboxId = await runAsSdk(context, { command: "/bin/sh", args: ["-c", script] });
      const folder = await folderOf(sandboxes, sandboxId);
      await untilTold(sandboxes, sandboxId);
      // While it is stopping nobody can go in: this is what lets it go on.
      const stream = new ExecStream(sandboxes, {
        sandboxId,
        command: ["/bin/sh", "-c", `read -r line; echo > '${folder}/go'`],
      });
      await stream.ready();
      await sandboxes.deleteSandbox({ sandboxId, gracePeriodSeconds: 300 });
      const seen = await sandboxes.getSandbox({ sandboxId });
      expect(seen.status?.state).toBe(State.TERMINATING);
      stream.stdin("go\n");
      stream.halfClose();
      const ended = await until(sandboxes, sandboxId, isTerminal);
      expect(ended.status?.exitCode).toBe(0);
      expect((await stream.exit()).order.at(-1)).toBe("exit");
    },
  );

  says(
    "stop and delete that ignore a missing object send allow_missing, and all is well",
    async ({ bed }) => {
      const sandboxId = randomUUID();
      const first = await refusalOf(bed.sandboxes.getSandbox({ sandboxId }));
      expect(first).toMatchObject({ code: Code.NotFound, reason: ErrorReason.SANDBOX_NOT_FOUND });
      const request = { sandboxId, gracePeriodSeconds: 0, allowMissing: true };
      expect((await bed.sandboxes.deleteSandbox(request)).sandbox).toBeUndefined();
    },
  );

  says("delete: one Delete without grace, and nothing is waited for", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await runAsSdk(context, keepAlive("-lc"));
    const { sandbox } = await sandboxes.deleteSandbox({ sandboxId, gracePeriodSeconds: 0 });
    expect([State.TERMINATING, State.TERMINATED]).toContain(sandbox?.status?.state);
    const ended = await untilEnded(sandboxes, sandboxId);
    expect(ended.status?.state).toBe(State.TERMINATED);
  });

  says(
    "wait for the end: COMPLETED has its exit code at once, nothing is asked twice",
    async (context) => {
      const { sandboxes } = context.bed;
      const main = { command: "/bin/sh", args: ["-c", "sleep 0.1; exit 9"] };
      const { sandboxId } = await createAsSdk(context, main);
      const ended = await polled(sandboxes, sandboxId, isTerminal);
      expect(ended.status).toMatchObject({ state: State.COMPLETED, exitCode: 9 });
    },
  );

  says(
    "listed page by page, each asked for when it is wanted; a terminal state widens",
    async (context) => {
      const { bed, tag } = context;
      const ids: string[] = [];
      for (let each = 0; each < 3; each += 1) {
        const { sandboxId } = await createAsSdk(context, { command: "true", args: [] });
        ids.push(sandboxId);
      }
      for (const sandboxId of ids) await untilEnded(bed.sandboxes, sandboxId);
      const seen: string[] = [];
      const tokens = new Set<string>();
      let pageToken = "";
      do {
        const request = { pageSize: 2, pageToken, tags: [tag], state: State.COMPLETED };
        const page = await bed.sandboxes.listSandboxes(request);
        expect(page.sandboxes.length).toBeLessThanOrEqual(2);
        seen.push(...page.sandboxes.map(({ sandboxId }) => sandboxId));
        pageToken = page.nextPageToken;
        expect(tokens.has(pageToken)).toBe(false);
        tokens.add(pageToken);
      } while (pageToken !== "");
      expect(seen.toSorted()).toEqual(ids.toSorted());
      expect((await bed.sandboxes.listSandboxes({ tags: [tag] })).sandboxes).toEqual([]);
    },
  );

  says("metadata of its W&B entry point is tolerated, on streams as well", async (context) => {
    const sandboxId = await runAsSdk(context, keepAlive("-lc"));
    const { client, cut } = ownConnection(context.bed, {
      "x-wandb-api-key": "key",
      "x-cwsandbox-client-version": "0.3.0-beta.0",
      "x-wandb-sdk-version": "unknown",
      "x-sandbox-integration": "js-sdk",
      "x-entity-id": "entity",
      "x-project-name": "project",
    });
    expect((await client.getSandbox({ sandboxId })).sandboxId).toBe(sandboxId);
    expect((await streamed(client, sandboxId, "echo", "there")).stdout.toString()).toBe("there\n");
    cut();
  });
});
