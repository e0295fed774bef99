import { randomUUID } from "node:crypto";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { expect } from "vitest";
import { Code } from "@connectrpc/connect";
import { ErrorReason, isTerminal, State } from "@tidybox/protocol";
import {
  refusalOf,
  run,
  sh,
  untilEnded,
} from "../../../packages/local/src/testing/test-service.ts";
import { section } from "../contract.ts";
import { ExecStream, fed, slices } from "../exec-streams.ts";
import { folderOf, TELL_PID, untilGone, untilTold } from "../inside-sandbox.ts";
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

/** Of an exec: 300 s, and 5 more on the wire. */
const EXEC_MILLISECONDS = 305_000;
const CALL_MILLISECONDS = 300_000;

/** The calls of the Python SDK, in its order and with its fields: sandboxes and commands. */
export const pythonSdk = section("Python SDK", (says) => {
  says(
    "run: one create that answers at once, with id, spec and a state to wait in",
    async (context) => {
      const main = keepAlive("-c");
      const spec = {
        maxLifetimeSeconds: 120,
        annotations: { owner: "me" },
        volumes: [],
      };
      const resourceRequirements = {
        requests: { cpu: "500m", memory: "512Mi" },
        limits: { cpu: "500m", memory: "512Mi" },
      };
      const sandbox = await createAsSdk(context, main, {
        spec,
        container: { resourceRequirements },
      });
      expect(sandbox.sandboxId).not.toBe("");
      expect([State.CREATING, State.PENDING]).toContain(sandbox.status?.state);
      expect(sandbox.spec).toMatchObject({
        primaryContainer: "main",
        maxLifetimeSeconds: 120,
        annotations: { owner: "me" },
        containers: [{ name: "main", command: main.command, args: main.args }],
      });
      const up = await polled(context.bed.sandboxes, sandbox.sandboxId, isUp);
      expect(up.status).toMatchObject({
        state: State.RUNNING,
        effectiveMaxLifetimeSeconds: 120,
        effectiveResourceRequirements: { requests: resourceRequirements.requests },
      });
      expect(up.status?.runnerId).not.toBe("");
      const startTime = up.status?.startTime;
      expect(startTime && timestampMs(startTime)).toBeGreaterThan(0);
    },
  );

  says(
    "a start that is repeated with its frozen request id is the same sandbox",
    async (context) => {
      const requestId = randomUUID();
      const main = keepAlive("-c");
      const first = await createAsSdk(context, main, { requestId });
      const again = await createAsSdk(context, main, { requestId });
      expect(again.sandboxId).toBe(first.sandboxId);
      const other = await createAsSdk(context, main);
      expect(other.sandboxId).not.toBe(first.sandboxId);
    },
  );

  says("exec without stdin: init and half-close, read to exit, then cancel", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await runAsSdk(context, keepAlive("-c"));
    for (const exitCode of [0, 3]) {
      const command = ["/bin/sh", "-c", `cat; echo out; echo err >&2; exit ${exitCode}`];
      const timeout = { timeoutMs: EXEC_MILLISECONDS };
      const stream = new ExecStream(sandboxes, { sandboxId, command }, timeout);
      stream.halfClose();
      const ended = await stream.exit();
      stream.cancel();
      expect(ended.exitCode).toBe(exitCode);
      expect([ended.stdout.toString(), ended.stderr.toString()]).toEqual(["out\n", "err\n"]);
    }
    expect(await run(sandboxes, sandboxId, "true")).toMatchObject({ exitCode: 0 });
  });

  says(
    "exec with stdin: after ready, in slices of 64 KiB, then close and half-close",
    async (context) => {
      const sandboxId = await runAsSdk(context, keepAlive("-c"));
      const input = Buffer.from("0123456789abcdef".repeat(20_000));
      const init = { sandboxId, command: ["cat"] };
      const ended = await fed(context.bed.sandboxes, init, slices(input, 64 * 1024));
      expect(ended.stdout.equals(input)).toBe(true);
      expect(ended.exitCode).toBe(0);
    },
  );

  says("exec with cwd: a shell changes to it, with shlex quoting", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await runAsSdk(context, keepAlive("-c"));
    const folder = `${await folderOf(sandboxes, sandboxId)}/it's a "$dir"`;
    await run(sandboxes, sandboxId, "mkdir", folder);
    const words = ["printf", "%s|", "plain", "a b", "it's", "$HOME", "", "*", "new\nline"];
    const command = [...inFolder("python", folder, words)];
    const stream = new ExecStream(sandboxes, { sandboxId, command });
    stream.halfClose();
    expect((await stream.exit()).stdout.toString()).toBe(
      words
        .slice(2)
        .map((word) => `${word}|`)
        .join(""),
    );
    const where = [...inFolder("python", folder, ["pwd"])];
    expect((await run(sandboxes, sandboxId, ...where)).stdout).toBe(`${folder}\n`);
  });

  says(
    "exec that its caller gives up: the stream is cancelled, and the command ends",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await runAsSdk(context, keepAlive("-c"));
      const command = ["/bin/sh", "-c", `${TELL_PID}; echo before; sleep 600; true`];
      const stream = new ExecStream(sandboxes, { sandboxId, command });
      stream.halfClose();
      await stream.shows("before");
      await untilTold(sandboxes, sandboxId);
      stream.cancel();
      expect(await refusalOf(stream.ended())).toMatchObject({ code: Code.Canceled });
      await untilGone(sandboxes, sandboxId);
    },
  );

  says("streams go over a second connection, whose end is theirs alone", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await runAsSdk(context, keepAlive("-c"));
    const streams = ownConnection(context.bed);
    const command = ["/bin/sh", "-c", `${TELL_PID}; echo begun; sleep 600; true`];
    const stream = new ExecStream(streams.client, { sandboxId, command });
    stream.halfClose();
    await stream.shows("begun");
    await untilTold(sandboxes, sandboxId);
    streams.cut();
    await refusalOf(stream.ended());
    await untilGone(sandboxes, sandboxId);
    const { status } = await sandboxes.getSandbox({ sandboxId });
    expect(status?.state).toBe(State.RUNNING);
  });

  says(
    "shell: a terminal without deadline, with size, input, resize and its exit code",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await runAsSdk(context, keepAlive("-c"));
      const command = [await shellOf(sandboxes, sandboxId)];
      const size = { ttyWidth: 100, ttyHeight: 40 };
      const stream = new ExecStream(sandboxes, { sandboxId, command, tty: true, ...size });
      await stream.ready();
      stream.stdin("stty size; echo $((40 + 2))-there\n");
      await stream.shows("40 100");
      await stream.shows("42-there");
      stream.resize(120, 50);
      stream.stdin("stty size\n");
      await stream.shows("50 120");
      stream.stdin("exit 5\n");
      const ended = await stream.exit();
      expect(ended.exitCode).toBe(5);
      expect(ended.stderr).toHaveLength(0);
      stream.cancel();
    },
  );

  says(
    "wait until complete: COMPLETED and the exit code come in the same answer",
    async (context) => {
      const { sandboxes } = context.bed;
      for (const exitCode of [0, 7]) {
        const main = { command: "/bin/sh", args: ["-c", `sleep 0.1; exit ${exitCode}`] };
        const { sandboxId } = await createAsSdk(context, main);
        const ended = await polled(sandboxes, sandboxId, isTerminal);
        expect(ended.status).toMatchObject({ state: State.COMPLETED, exitCode });
      }
    },
  );

  says(
    "stop: Delete with 10 s of grace answers promptly, then Get is polled to the end",
    async (context) => {
      const { sandboxes } = context.bed;
      const main = keepAlive("-c");
      const sandboxId = await runAsSdk(context, main);
      await main.waits(sandboxes, sandboxId);
      const answer = await sandboxes.deleteSandbox(
        { sandboxId, gracePeriodSeconds: 10 },
        { timeoutMs: 20_000 },
      );
      expect(answer.sandbox?.sandboxId).toBe(sandboxId);
      expect(answer.fileSystemSnapshotIds).toEqual([]);
      const ended = await polled(sandboxes, sandboxId, isTerminal);
      expect([State.COMPLETED, State.FAILED, State.TERMINATED]).toContain(ended.status?.state);
      expect(ended.status?.exitCode).toBe(0);
      // The record stays: never NOT_FOUND.
      expect((await sandboxes.getSandbox({ sandboxId })).spec?.primaryContainer).toBe("main");
    },
  );

  says(
    "stop with missing_ok of an absent sandbox: OK, no sandbox, no snapshot ids",
    async ({ bed }) => {
      const request = { sandboxId: randomUUID(), gracePeriodSeconds: 10, allowMissing: true };
      const answer = await bed.sandboxes.deleteSandbox(request);
      expect(answer.sandbox).toBeUndefined();
      expect(answer.fileSystemSnapshotIds).toEqual([]);
    },
  );

  says("stop with missing_ok of a sandbox that is there fills it in", async (context) => {
    const sandboxId = await runAsSdk(context, keepAlive("-c"));
    const request = { sandboxId, gracePeriodSeconds: 0, allowMissing: true };
    expect((await context.bed.sandboxes.deleteSandbox(request)).sandbox?.sandboxId).toBe(sandboxId);
  });

  says(
    "Sandbox.delete: one Delete without grace; NOT_FOUND is swallowed by its reason",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await runAsSdk(context, keepAlive("-c"));
      await sandboxes.deleteSandbox({ sandboxId }, { timeoutMs: CALL_MILLISECONDS });
      const unknown = sandboxes.deleteSandbox({ sandboxId: randomUUID() });
      expect(await refusalOf(unknown)).toMatchObject({
        code: Code.NotFound,
        reason: ErrorReason.SANDBOX_NOT_FOUND,
      });
    },
  );

  says("from_id: one Get, of an ended sandbox as well", async (context) => {
    const { sandboxes } = context.bed;
    const { sandboxId } = await createAsSdk(context, { command: "true", args: [] });
    await untilEnded(sandboxes, sandboxId);
    const sandbox = await sandboxes.getSandbox({ sandboxId }, { timeoutMs: CALL_MILLISECONDS });
    expect(sandbox).toMatchObject({ sandboxId, status: { state: State.COMPLETED, exitCode: 0 } });
    expect(sandbox.spec?.containers).toHaveLength(1);
  });

  says(
    "list: page_size 0, all pages, and ended ones only when they are asked for",
    async (context) => {
      const { tag, bed } = context;
      const active = await runAsSdk(context, keepAlive("-c"));
      const ended = await createAsSdk(context, { command: "true", args: [] });
      await untilEnded(bed.sandboxes, ended.sandboxId);
      const list = async (showTerminated: boolean): Promise<readonly string[]> => {
        const ids: string[] = [];
        let pageToken = "";
        for (let page = 0; page < 100; page += 1) {
          const request = { pageSize: 0, pageToken, tags: [tag], showTerminated };
          const answer = await bed.sandboxes.listSandboxes(request);
          ids.push(...answer.sandboxes.map(({ sandboxId }) => sandboxId));
          expect(answer.sandboxes.every(({ spec }) => spec !== undefined)).toBe(true);
          if (answer.nextPageToken === "") return ids;
          expect(answer.nextPageToken).not.toBe(pageToken);
          pageToken = answer.nextPageToken;
        }
        throw new Error("no end");
      };
      expect(await list(false)).toEqual([active]);
      expect((await list(true)).toSorted()).toEqual([active, ended.sandboxId].toSorted());
    },
  );

  says("list_runners: pages of 100, one of which runs this sandbox", async (context) => {
    const { discovery, sandboxes } = context.bed;
    const sandboxId = await runAsSdk(context, keepAlive("-c"));
    const runnerId = (await sandboxes.getSandbox({ sandboxId })).status?.runnerId;
    const { runners } = await discovery.listAvailableRunners(
      { pageSize: 100 },
      { timeoutMs: 30_000 },
    );
    expect(runners.map((runner) => runner.runnerId)).toContain(runnerId);
  });

  says(
    "environment of the sandbox is there for exec, and for the main process at its end",
    async (context) => {
      const { sandboxes } = context.bed;
      const script = `trap 'test "$WORD" = "a b" && exit 3' TERM; ${TELL_PID}; while :; do sleep 0.05; done`;
      const main = { command: "/bin/sh", args: ["-c", script] };
      const container = { environmentVariables: { WORD: "a b" } };
      const sandboxId = await runAsSdk(context, main, { container });
      await untilTold(sandboxes, sandboxId);
      expect((await sh(sandboxes, sandboxId, 'printf %s "$WORD"')).stdout).toBe("a b");
      await sandboxes.deleteSandbox({ sandboxId, gracePeriodSeconds: 10 });
      const ended = await polled(sandboxes, sandboxId, isTerminal);
      expect(ended.status?.exitCode).toBe(3);
      expect(ended.status?.endTime).toBeDefined();
    },
  );
});
