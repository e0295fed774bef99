import type { SandboxOptions } from "@tidybox/client";
import { type TestContext, test as base } from "vitest";
import { openAttempt, sandboxesFor } from "./attempt.ts";
import type { SandboxFixtures } from "./types.ts";
import { leaveWorker, openWorker, publicRun, useWorker } from "./worker.ts";

type Use<T> = (value: T) => Promise<void>;

/**
 * The fixtures, to spread into one's own `test.extend({ ...sandboxFixtures, … })`. In the object
 * form with `use`, because the builder form does nothing on Vitest 3.2.
 */
export const sandboxFixtures = {
  sandboxOptions: {} as SandboxOptions,

  run: [
    async ({}: object, use: Use<SandboxFixtures["run"]>): Promise<void> => {
      await use(publicRun());
    },
    { scope: "worker" },
  ],

  session: [
    async ({}: object, use: Use<SandboxFixtures["session"]>): Promise<void> => {
      const worker = await useWorker();
      await use(worker.session);
      await leaveWorker();
    },
    { scope: "worker" },
  ],

  createSandbox: async (
    { task, onTestFinished, session: _session, sandboxOptions }: TestContext & SandboxFixtures,
    use: Use<SandboxFixtures["createSandbox"]>,
  ): Promise<void> => {
    // The session is asked for so that the worker is open, and stays open as long as this test.
    const attempt = openAttempt({ task, onTestFinished }, async () =>
      sandboxesFor(task, await openWorker(), sandboxOptions),
    );
    await use(async (options) => (await attempt.sandboxes()).create(options));
  },

  sandbox: async (
    { createSandbox }: SandboxFixtures,
    use: Use<SandboxFixtures["sandbox"]>,
  ): Promise<void> => {
    await use(await createSandbox());
  },
} as const;

/** Vitest's `test` with the fixtures of tidybox. */
export const test = base.extend<SandboxFixtures>(sandboxFixtures);
