import { Code } from "@connectrpc/connect";
import { ErrorReason, State } from "@tidybox/protocol";
import { expect } from "vitest";
import { run, sh, untilEnded } from "../../../packages/local/src/testing/test-service.ts";
import { section } from "../contract.ts";
import { expectSpecRefused, refuses } from "../refusals.ts";
import { running } from "../sandboxes.ts";

const INVALID = { code: Code.InvalidArgument, reason: ErrorReason.INVALID_ARGUMENT };
const NOT_IMPLEMENTED = { code: Code.Unimplemented, reason: ErrorReason.NOT_IMPLEMENTED };

/** A spec with one container; several are in `containers.ts`. */
export const sandboxSpec = section("2.1", (says) => {
  says("a create needs a spec", async ({ bed }) => {
    await expect(bed.sandboxes.createSandbox({})).rejects.toMatchObject({
      code: Code.InvalidArgument,
      message: expect.stringContaining("sandbox.spec"),
    });
  });

  says("a spec has at least one container", async (context) => {
    await expectSpecRefused(context, {}, { ...INVALID, field: "containers" });
  });

  says(
    "a container has an image",
    refuses({ image: "" }, {}, { ...INVALID, field: "containers[0].image" }),
  );

  says(
    "the primary container may be left unnamed with a single container only",
    async (context) => {
      const pod = { containers: ["a", "b"].map((name) => ({ name, image: "python:3.11" })) };
      await expectSpecRefused(context, pod, { ...INVALID, field: "primary_container" });
      const sandboxId = await running(context, { name: "other" });
      expect((await run(context.bed.sandboxes, sandboxId, "echo", "here")).stdout).toBe("here\n");
    },
  );

  says(
    "the primary container is one of the containers",
    refuses({}, { primaryContainer: "none" }, { ...INVALID, field: "primary_container" }),
  );

  says("arguments come after the command, word by word", async (context) => {
    const script = 'printf "<%s>" "$@" > words; sleep 1000';
    const sandboxId = await running(context, {
      command: "/bin/sh",
      args: ["-c", script, "sh", "a b", "", "$HOME", "é\n"],
    });
    const { stdout } = await sh(
      context.bed.sandboxes,
      sandboxId,
      "until [ -s words ]; do :; done; cat words",
    );
    expect(stdout).toBe("<a b><><$HOME><é\n>");
  });

  says("(our choice) a container without a command lives until it is stopped", async (context) => {
    const { sandboxes } = context.bed;
    const sandboxId = await running(context);
    expect((await run(sandboxes, sandboxId, "echo", "alive")).exitCode).toBe(0);
    await sandboxes.deleteSandbox({ sandboxId });
    expect((await untilEnded(sandboxes, sandboxId)).status?.state).toBe(State.TERMINATED);
  });

  says(
    "commands begin in the working directory, which is made where the image lacks it",
    async (context) => {
      const sandboxId = await running(context, { workingDir: "/workspace/own/place" });
      const { stdout } = await sh(context.bed.sandboxes, sandboxId, "pwd");
      expect(stdout).toMatch(/\/own\/place\n$/);
    },
  );

  says(
    "(our choice) a working directory is absolute",
    refuses({ workingDir: "relative" }, {}, { ...INVALID, field: "containers[0].working_dir" }),
  );

  says("a single container has a status, too", async (context) => {
    const sandboxId = await running(context);
    const { status } = await context.bed.sandboxes.getSandbox({ sandboxId });
    expect(status?.containerStatuses).toMatchObject([
      { name: "main", state: State.RUNNING, restartCount: 0 },
    ]);
  });

  says(
    "(our choice) networks of sandboxes are not there, and refused",
    refuses({}, { networkIds: ["net-1"] }, { ...NOT_IMPLEMENTED, field: "network_ids" }),
  );

  says(
    "(our choice) no runtime class is allowed by this machine's policy",
    refuses({}, { runtimeClass: "gvisor" }, { ...NOT_IMPLEMENTED, field: "runtime_class" }),
  );

  says("without a runtime class the status says that it is the node's default", async (context) => {
    const sandboxId = await running(context);
    const { status } = await context.bed.sandboxes.getSandbox({ sandboxId });
    expect(status?.effectiveRuntimeClass).toBe("<node-default>");
  });
});
