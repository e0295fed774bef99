import type { Sandbox } from "@tidybox/client";
import { ConfigurationError } from "@tidybox/client/errors";
import type { Outlook, TestEnd, TestSandboxOptions } from "@tidybox/fixtures";
import { Attempt, publicRun } from "@tidybox/fixtures/adapter";
import type { Wanted } from "./circus/parameters.ts";
import { FIXTURE_NAMES, TEST_FIXTURES, WORKER_FIXTURES } from "./fixture-names.ts";
import type { Realm } from "./realm/realm.ts";
import { type ProjectOfFile, handedBack, loadWorker, runOf, workerOf } from "./run/workers.ts";

/** Bounds our teardown, which no timeout of Jest covers; the run still reaps what it held. */
const TEARDOWN_MS = 15_000;

/** A test as its sandboxes are made for it. */
export interface TestOfFile {
  /** `describe > test`. */
  readonly name: string;
  /** 0: no limit, or not known. */
  readonly timeoutSeconds: number;
  /** What the file and the describes around it have set; later ones win. */
  readonly options: readonly TestSandboxOptions[];
  /** What is still to come in the file, when it asks by way of this fixture. Absent: nobody knows. */
  readonly outlook?: (fixture: AskingFixture) => Outlook | undefined;
}

/** A fixture by which a test asks for sandboxes. */
export type AskingFixture = "sandbox" | "createSandbox";

/** What a function gets in the parameter for fixtures; an object of the tests' realm. */
export type FixtureValues = Readonly<Record<string, unknown>>;

/** The fixtures of one test file. */
export class FileFixtures {
  readonly project: ProjectOfFile | undefined;
  readonly realm: Realm;
  readonly #testFile: string;
  readonly #attempts = new Set<TestAttempt>();

  /**
   * @param project undefined where only the run's own is known
   * @param testFile its path from the project's root, for the coordinator and the service
   */
  constructor(project: ProjectOfFile | undefined, realm: Realm, testFile: string) {
    this.project = project;
    this.realm = realm;
    this.#testFile = testFile;
  }

  /** Begins one attempt of a test; nothing is made before it is asked for. */
  begin(test: TestOfFile): TestAttempt {
    const attempt = new TestAttempt(this, test, this.#testFile);
    this.#attempts.add(attempt);
    return attempt;
  }

  /** An attempt that has ended is nobody's business any more. */
  forget(attempt: TestAttempt): void {
    this.#attempts.delete(attempt);
  }

  /**
   * Those of the worker, for a hook that stands outside of every test.
   *
   * @throws ConfigurationError when it asks for one that belongs to a test
   */
  async forHookOutsideTests(wanted: Wanted, hook: string): Promise<FixtureValues> {
    return this.#forHook(wanted, (name) => notOutsideTests(name, hook));
  }

  /**
   * Those of the worker, for any hook of a file whose environment is not ours: which test it is
   * called for, only the environment knows.
   *
   * @throws ConfigurationError when it asks for one that belongs to a test
   */
  async forHookWithoutEnvironment(wanted: Wanted, hook: string): Promise<FixtureValues> {
    return this.#forHook(
      wanted,
      (name) =>
        new ConfigurationError({
          message: `"${name}" in ${hook} needs the environment of @tidybox/jest, which this test file does not have.`,
          advice:
            'Use preset: "@tidybox/jest" (over another environment with testEnvironmentOptions.baseEnvironment), or ask for it in the test.',
        }),
    );
  }

  async #forHook(
    wanted: Wanted,
    refusal: (name: string) => ConfigurationError,
  ): Promise<FixtureValues> {
    const names = namesOf(wanted, WORKER_FIXTURES);
    const ofTests = names.find((name) => TEST_FIXTURES.includes(name));
    if (ofTests !== undefined) throw refusal(ofTests);
    const values = this.realm.enter(await this.ofWorker(names)) as FixtureValues;
    // Which ones it takes shows when it takes them.
    if (wanted.kind === "unreadable") {
      for (const name of TEST_FIXTURES) {
        Object.defineProperty(values, name, {
          get: () => {
            throw this.realm.enter(refusal(name));
          },
        });
      }
    }
    return values;
  }

  /** @throws TidyboxError when the run is over, or there is none */
  async ofWorker(names: readonly string[]): Promise<Record<string, unknown>> {
    const values: Record<string, unknown> = {};
    if (names.includes("run")) values["run"] = publicRun(await runOf(this.project));
    if (names.includes("session")) values["session"] = (await workerOf(this.project)).session;
    return values;
  }

  /** Ends what tests of this file have left open, such as one whose body went on after its timeout. */
  async end(): Promise<void> {
    await Promise.all(
      [...this.#attempts].map((attempt) => attempt.end({ failed: false }, () => {})),
    );
    await handedBack();
  }
}

/** One attempt of one test: the fixtures that it has asked for. */
export class TestAttempt {
  readonly #file: FileFixtures;
  readonly #test: TestOfFile;
  readonly #attempt: Attempt;
  #sandbox: Promise<Sandbox> | undefined;

  constructor(file: FileFixtures, test: TestOfFile, testFile: string) {
    this.#file = file;
    this.#test = test;
    this.#attempt = new Attempt(test.name, async () => {
      const [{ TestSandboxes, mergeSandboxOptions }, worker] = await Promise.all([
        loadWorker(),
        workerOf(file.project),
      ]);
      return new TestSandboxes(
        worker,
        { testName: test.name, testFile, testTimeoutSeconds: test.timeoutSeconds },
        mergeSandboxOptions(...test.options),
      );
    });
  }

  /**
   * What a test or a hook of it has asked for; one sandbox for the test and all of its hooks.
   *
   * @throws ConfigurationError for a name that is no fixture; TidyboxError when no sandbox can be had
   */
  async fixtures(wanted: Wanted): Promise<FixtureValues> {
    const names = namesOf(wanted, FIXTURE_NAMES);
    const values = await this.#file.ofWorker(names);
    if (names.includes("sandboxOptions")) {
      const { mergeSandboxOptions } = await loadWorker();
      values["sandboxOptions"] = mergeSandboxOptions(...this.#test.options);
    }
    if (names.includes("createSandbox")) {
      values["createSandbox"] = async (options?: TestSandboxOptions) =>
        (await this.#attempt.sandboxes()).create(options, this.#test.outlook?.("createSandbox"));
    }
    if (names.includes("sandbox")) values["sandbox"] = await this.#oneSandbox();
    return this.#file.realm.enter(values) as FixtureValues;
  }

  async #oneSandbox(): Promise<Sandbox> {
    const asking = (this.#sandbox ??= this.#attempt
      .sandboxes()
      .then((sandboxes) => sandboxes.create({}, this.#test.outlook?.("sandbox"))));
    // A hook that failed to get one is no reason for the next attempt to fail as well.
    asking.catch(() => (this.#sandbox = undefined));
    return asking;
  }

  /**
   * Hands its sandboxes back. Bounded; once.
   *
   * @throws when it took too long: the run reaps what is left
   */
  async end(end: TestEnd, show: (diagnostics: string) => void): Promise<void> {
    this.#file.forget(this);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(
          new Error(
            `tidybox: the sandboxes of this test could not be handed back within ${TEARDOWN_MS / 1000} s; the run reaps them at its end.`,
          ),
        );
      }, TEARDOWN_MS);
      timer.unref();
    });
    try {
      await Promise.race([this.#attempt.end(end, show), late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

function notOutsideTests(name: string, hook: string): ConfigurationError {
  return new ConfigurationError({
    message: `"${name}" is not there in ${hook}: it belongs to one test, and ${hook} runs outside of every test.`,
    advice: `Use beforeEach, or "session" (of the worker, as is "run"): a sandbox from session.sandbox() stays until you stop it or the worker ends.`,
  });
}

function namesOf(wanted: Wanted, all: readonly string[]): readonly string[] {
  if (wanted.kind === "nothing") return [];
  if (wanted.kind === "unreadable") return all;
  for (const name of wanted.names) {
    if (FIXTURE_NAMES.includes(name)) continue;
    throw name.startsWith("...")
      ? new ConfigurationError({
          message: `"${name}" cannot be used where fixtures are asked for: which ones a test needs must be said by name.`,
          advice: `The fixtures are ${FIXTURE_NAMES.join(", ")}.`,
        })
      : new ConfigurationError({
          message: `There is no fixture "${name}".`,
          advice: `The fixtures are ${FIXTURE_NAMES.join(", ")}.`,
        });
  }
  return wanted.names;
}
