import { Code } from "@connectrpc/connect";
import { ErrorReason, State } from "@tidybox/protocol";
import { expect } from "vitest";
import {
  run,
  sh,
  type SpecInit,
  specOf,
  until,
  untilEnded,
} from "../../../packages/local/src/testing/test-service.ts";
import { type CaseContext, section, type SentenceOptions } from "../contract.ts";
import { expectReason, expectSpecRefused, refuses } from "../refusals.ts";

type ContainerInit = NonNullable<SpecInit["containers"]>[number];

const NOT_IMPLEMENTED = { code: Code.Unimplemented, reason: ErrorReason.NOT_IMPLEMENTED };

/** Runs a script and has the volume that all share. */
const shell = (name: string, script: string): ContainerInit =>
  ({
    ...{ name, image: "python:3.11", command: "/bin/sh", args: ["-c", script] },
    volumeMounts: [{ volume: "shared", mountPath: "/shared" }],
  }) as ContainerInit;

const podOf = (containers: readonly ContainerInit[], rest: SpecInit = {}): SpecInit => ({
  containers: [...containers],
  primaryContainer: "main",
  volumes: [{ name: "shared", source: { case: "scratch", value: {} } }],
  ...rest,
});

async function create({ bed, tag }: CaseContext, spec: SpecInit): Promise<string> {
  const tagged = { ...spec, tags: [tag] } as SpecInit;
  return (await bed.sandboxes.createSandbox({ sandbox: { spec: tagged } })).sandboxId;
}

async function runningPod(context: CaseContext, spec: SpecInit): Promise<string> {
  const sandboxId = await create(context, spec);
  const isOver = (state: State): boolean => state !== State.PENDING && state !== State.CREATING;
  const { status } = await until(context.bed.sandboxes, sandboxId, isOver);
  if (status?.state !== State.RUNNING) throw new Error(`did not run: ${status?.stateReason}`);
  return sandboxId;
}

const SLEEP = "sleep 1000";

/** Volumes come first in what it refuses. */
const UNLESS: SentenceOptions = {
  unless: {
    process: {
      cannot: "have several containers, or init containers, in a sandbox",
      instead: async (context) => {
        const { bare, init } = {
          bare: { containers: ["main", "side"].map((name) => ({ name, image: "python:3.11" })) },
          init: specOf(
            {},
            { initContainers: [{ name: "i", image: "python:3.11", command: "true" }] },
          ),
        };
        const refused = { code: Code.FailedPrecondition, reason: ErrorReason.NO_SUITABLE_RUNNER };
        await expectSpecRefused(
          context,
          { ...bare, primaryContainer: "main" },
          { ...refused, field: "containers" },
        );
        await expectSpecRefused(context, init, { ...refused, field: "init_containers" });
      },
    },
  },
};

export const containers = section("2.1", (says) => {
  says(
    "init containers run to completion, in order, before the others",
    async (context) => {
      const noting = (name: string): ContainerInit =>
        shell(
          name,
          `echo begin ${name} >> /shared/order; sleep 0.05; echo end ${name} >> /shared/order`,
        );
      const pod = podOf([shell("main", `echo main >> /shared/order; ${SLEEP}`)], {
        initContainers: [noting("first"), noting("second")],
      });
      const sandboxId = await runningPod(context, pod);
      const { stdout } = await sh(
        context.bed.sandboxes,
        sandboxId,
        "until grep -q main /shared/order; do :; done; cat /shared/order",
      );
      expect(stdout).toBe("begin first\nend first\nbegin second\nend second\nmain\n");
    },
    UNLESS,
  );

  says(
    "(our choice) an init container that fails makes the sandbox FAILED, and nothing after it runs",
    async (context) => {
      const sandboxId = await create(
        context,
        podOf([shell("main", SLEEP)], {
          initContainers: [shell("broken", "echo no table >&2; exit 3"), shell("later", "true")],
        }),
      );
      const { status } = await untilEnded(context.bed.sandboxes, sandboxId);
      expect(status?.state).toBe(State.FAILED);
      expect(status?.stateReason).toMatch(/broken.*3.*no table/s);
      const states = new Map(status?.containerStatuses.map((each) => [each.name, each]));
      expect(states.get("broken")).toMatchObject({ exitCode: 3 });
      expect(states.get("later")?.state).not.toBe(State.COMPLETED);
    },
    UNLESS,
  );

  says(
    "(our choice) an init container needs a command: images have no entrypoint here",
    refuses(
      {},
      { initContainers: [{ name: "init", image: "python:3.11" }] },
      { ...NOT_IMPLEMENTED, field: "init_containers[0].command" },
    ),
  );

  says(
    "containers share volumes and the network, and each has files and variables of its own",
    async (context) => {
      const { sandboxes } = context.bed;
      const named = (name: string): ContainerInit =>
        ({
          ...shell(name, `echo ${name} > /shared/${name}; echo ${name} > /tmp/own; ${SLEEP}`),
          environmentVariables: { WHO: name },
        }) as ContainerInit;
      const sandboxId = await runningPod(context, podOf([named("main"), named("side")]));
      const seen = async (container: string): Promise<string> => {
        const script =
          'until [ -s /shared/main ] && [ -s /shared/side ] && [ -s /tmp/own ]; do :; done; cat /shared/main /shared/side /tmp/own; echo "$WHO"';
        const command = ["/bin/sh", "-c", script];
        const { stdout } = await sandboxes.exec({ sandboxId, container, command });
        return Buffer.from(stdout).toString();
      };
      expect(await seen("side")).toBe("main\nside\nside\nside\n");
      expect(await seen("main")).toBe("main\nside\nmain\nmain\n");
      // Where none is named it is the primary one.
      expect(await seen("")).toBe(await seen("main"));
    },
    UNLESS,
  );

  says(
    "files and logs are of the named container, and an unknown name is invalid",
    async (context) => {
      const { sandboxes } = context.bed;
      const pod = podOf([
        shell("main", `echo main says; ${SLEEP}`),
        shell("side", `echo side says; ${SLEEP}`),
      ]);
      const sandboxId = await runningPod(context, pod);
      const content = new TextEncoder().encode("side");
      await sandboxes.writeFile({ sandboxId, container: "side", path: "/tmp/file", content });
      const file = await sandboxes.readFile({ sandboxId, container: "side", path: "/tmp/file" });
      expect(Buffer.from(file.content).toString()).toBe("side");
      await expectReason(
        sandboxes.readFile({ sandboxId, path: "/tmp/file" }),
        Code.NotFound,
        ErrorReason.FILE_NOT_FOUND,
      );
      let log = "";
      const request = { sandboxId, container: "side", follow: true };
      for await (const { data } of sandboxes.streamLogs(request)) {
        log += Buffer.from(data).toString();
        if (log.includes("\n")) break;
      }
      expect(log).toBe("side says\n");
      const unknown = sandboxes.exec({ sandboxId, container: "none", command: ["true"] });
      await expect(unknown).rejects.toMatchObject({
        code: Code.InvalidArgument,
        message: expect.stringContaining("main, side"),
      });
    },
    UNLESS,
  );

  says(
    "the exit of the primary container decides the outcome, and ends the others",
    async (context) => {
      const { sandboxes } = context.bed;
      const pod = podOf([
        shell("main", "until [ -e /shared/go ]; do sleep 0.02; done; exit 7"),
        shell("side", SLEEP),
      ]);
      const sandboxId = await runningPod(context, pod);
      await sh(sandboxes, sandboxId, "touch /shared/go");
      const { status } = await untilEnded(sandboxes, sandboxId);
      expect(status).toMatchObject({ state: State.COMPLETED, exitCode: 7 });
      const side = status?.containerStatuses.find(({ name }) => name === "side");
      expect(side?.state).toBe(State.TERMINATED);
    },
    UNLESS,
  );

  says(
    "a container that is not the primary one ends alone, with a status of its own",
    async (context) => {
      const { sandboxes } = context.bed;
      const sandboxId = await runningPod(
        context,
        podOf([shell("main", SLEEP), shell("side", "exit 3")]),
      );
      const ofSide = async () => {
        const { status } = await sandboxes.getSandbox({ sandboxId });
        return status?.containerStatuses.find(({ name }) => name === "side");
      };
      let side = await ofSide();
      while (side?.state === State.RUNNING || side?.state === State.CREATING) side = await ofSide();
      expect(side).toMatchObject({ state: State.COMPLETED, exitCode: 3, restartCount: 0 });
      expect((await run(sandboxes, sandboxId, "echo", "on")).stdout).toBe("on\n");
    },
    UNLESS,
  );
});
