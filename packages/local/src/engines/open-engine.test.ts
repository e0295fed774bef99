import { expect, test } from "vitest";
import { createRunning, RefusedStart, sh, startTestService } from "../testing/test-service.ts";

/** A machine on which nobody may make a user namespace; the service is root of its own, alone. */
const NO_NAMESPACES = [
  "unshare",
  "-Ur",
  "sh",
  "-c",
  'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"',
  "sh",
];

test("a named engine is never replaced: the refusal says why and what to do", async () => {
  const outcome = await startTestService({ engine: "bubblewrap" }, NO_NAMESPACES).catch(
    (error: unknown) => error,
  );
  expect(outcome).toBeInstanceOf(RefusedStart);
  expect(outcome).toMatchObject({
    code: "local_engine_unavailable",
    message: expect.stringMatching(/bubblewrap.*does not work.*namespace.*max_user_namespaces/),
  });
});

test("auto takes the weaker engine with one loud notice, and it works", async () => {
  const service = await startTestService({ engine: "auto" }, NO_NAMESPACES);
  try {
    expect(service.engine).toBe("process");
    const notices = await service.notices();
    expect(notices.map(({ code }) => code)).toEqual(["engine_weaker"]);
    expect(notices[0]?.message).toContain("max_user_namespaces");
    const sandboxId = await createRunning(service.client);
    expect(await sh(service.client, sandboxId, "echo works")).toMatchObject({ stdout: "works\n" });
  } finally {
    await service.close();
  }
});
