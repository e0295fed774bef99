import type { SandboxFixtures, TestSandboxOptions } from "@tidybox/fixtures";
import { type TestAPI, type TestContext, test as base } from "vitest";
import { openAttempt, sandboxesFor } from "./attempt.ts";
import { outlookOf } from "./outlook.ts";
import { leaveWorker, openWorker, publicRun, useWorker } from "./worker.ts";

type Use<T> = (value: T) => Promise<void>;
type WorkerScoped = { scope: "worker" };
type WorkerFixture<T> = [(context: object, use: Use<T>) => Promise<void>, WorkerScoped];
type TestFixture<Context, T> = (context: Context, use: Use<T>) => Promise<void>;

interface FixtureDefinitions {
  sandboxOptions: TestSandboxOptions;
  run: WorkerFixture<SandboxFixtures["run"]>;
  session: WorkerFixture<SandboxFixtures["session"]>;
  createSandbox: TestFixture<TestContext & SandboxFixtures, SandboxFixtures["createSandbox"]>;
  sandbox: TestFixture<SandboxFixtures, SandboxFixtures["sandbox"]>;
}

/**
 * The fixtures, to spread into one's own `test.extend({ ...sandboxFixtures, … })`. In the object
 * form with `use`, because the builder form does nothing on Vitest 3.2.
 */
export const sandboxFixtures: FixtureDefinitions = {
  sandboxOptions: {},

  run: [
    async ({}, use) => {
      await use(publicRun());
    },
    { scope: "worker" },
  ],

  session: [
    async ({}, use) => {
      const worker = await useWorker();
      await use(worker.session);
      await leaveWorker();
    },
    { scope: "worker" },
  ],

  createSandbox: async ({ task, onTestFinished, session: _session, sandboxOptions }, use) => {
    // The session is asked for so that the worker is open, and stays open as long as this test.
    const attempt = openAttempt({ task, onTestFinished }, async () =>
      sandboxesFor(task, await openWorker(), sandboxOptions),
    );
    await use(async (options) => (await attempt.sandboxes()).create(options, outlookOf(task)));
  },

  sandbox: async ({ createSandbox }, use) => {
    await use(await createSandbox());
  },
};

/** Vitest's `test` with the fixtures of tidybox. */
export const test: TestAPI<SandboxFixtures> = base.extend<SandboxFixtures>(sandboxFixtures);
