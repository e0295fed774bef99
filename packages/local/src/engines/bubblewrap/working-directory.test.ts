import { expect, test } from "vitest";
import { startedServices } from "../../testing/started-services.ts";
import { createRunning, run, sh, specOf } from "../../testing/test-service.ts";

const { start } = startedServices();

test("a working directory that was moved away, made anew or became a link is where commands begin", async () => {
  const { client } = await start();
  const sandboxId = await createRunning(client);
  const pwd = () => run(client, sandboxId, "sh", "-c", "pwd; cat name");
  const replace = (script: string) => sh(client, sandboxId, `cd / && ${script}`);
  await replace("mv /workspace /old && mkdir /workspace && echo new >/workspace/name");
  // More than one: the first may be entered by a shell that was there before.
  for (const _ of [1, 2, 3])
    expect(await pwd()).toEqual({ stdout: "/workspace\nnew\n", stderr: "", exitCode: 0 });
  await replace("rm -r /workspace && mkdir /tmp/a && echo linked >/tmp/a/name");
  await replace("ln -s /tmp/a /workspace");
  expect(await pwd()).toMatchObject({ stdout: "/tmp/a\nlinked\n", exitCode: 0 });
  // A program that is not there is still told in words that name nothing else.
  expect(await run(client, sandboxId, "nope")).toMatchObject({
    stderr: "nope: No such file or directory\n",
  });
  await replace("rm /workspace && mv /old /workspace");
  expect((await run(client, sandboxId, "pwd")).stdout).toBe("/workspace\n");
});

test("one that cannot be entered any more is said, and nothing is run", async () => {
  const { client } = await start();
  const sandboxId = await createRunning(client, specOf({ workingDir: "/tmp/work" }));
  await sh(client, sandboxId, "cd / && rm -r /tmp/work && ln -s /nowhere /tmp/work");
  const ended = await run(client, sandboxId, "touch", "/tmp/ran");
  expect(ended.exitCode).not.toBe(0);
  expect(ended.stderr).toContain("/tmp/work");
});
