import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, relative } from "node:path";
import { type Context, Script } from "node:vm";
import { ConfigurationError } from "@tidybox/client/errors";
import { BRIDGE_KEY, type Bridge } from "./bridge.ts";
import type { CircusEvent, CircusState } from "./circus/circus.ts";
import { CircusFixtures } from "./circus/circus-fixtures.ts";
import { FileFixtures } from "./file-fixtures.ts";
import { dieWithTheRunner } from "./run/orphan-guard.ts";
import { type JestProjectConfig, projectOptions } from "./run/project.ts";
import type { Realm } from "./realm/realm.ts";

/** What Jest gives to an environment; 29 and 30 agree on this much. */
export interface EnvironmentConfig {
  readonly globalConfig: { readonly rootDir: string };
  readonly projectConfig: JestProjectConfig;
}

export interface EnvironmentContext {
  readonly testPath: string;
  readonly docblockPragmas: Readonly<Record<string, string | readonly string[]>>;
}

/** An environment of Jest's, such as `jest-environment-node`. */
export interface Environment {
  readonly global: object;
  setup(): Promise<void>;
  teardown(): Promise<void>;
  getVmContext(): Context | null;
  handleTestEvent?(event: never, state: never): void | Promise<void>;
}

export type EnvironmentClass = new (
  config: EnvironmentConfig,
  context: EnvironmentContext,
) => Environment;

const WRAPPED = Symbol.for("tidybox.jest.environment");

/** As a file of its own, because it has to run in the realm of each test file. */
const REALM_SCRIPT = join(__dirname, "realm.cjs");
let realmScript: Script | undefined;

/**
 * Adds the fixtures to any environment of Jest's:
 * `module.exports = withSandboxes(require("jest-environment-jsdom").TestEnvironment)`.
 * One that has them already is answered as it is.
 *
 * @throws ConfigurationError when it is none
 */
export function withSandboxes<Base extends new (...args: never[]) => Environment>(
  Base: Base,
): Base {
  if (environmentIn(Base) === undefined)
    throw notAnEnvironment("What withSandboxes() of @tidybox/jest/environment was given");
  return extended(Base as unknown as EnvironmentClass) as unknown as Base;
}

function extended(Base: EnvironmentClass): EnvironmentClass {
  if (WRAPPED in Base) return Base;
  return class SandboxEnvironment extends Base {
    static readonly [WRAPPED] = true;
    #circus: CircusFixtures | undefined;
    #file: FileFixtures | undefined;
    #release: (() => void) | undefined;
    readonly #config: EnvironmentConfig;
    readonly #context: EnvironmentContext;

    constructor(config: EnvironmentConfig, context: EnvironmentContext) {
      super(config, context);
      this.#config = config;
      this.#context = context;
    }

    override async setup(): Promise<void> {
      await super.setup();
      const context = this.getVmContext();
      if (context === null) return;
      const { projectConfig } = this.#config;
      const { testPath, docblockPragmas } = this.#context;
      const project = {
        ...projectOptions(projectConfig),
        addsToProject: docblockPragmas["jest-environment-options"] !== undefined,
      };
      const realm = realmIn(context);
      const file = new FileFixtures(project, realm, relative(projectConfig.rootDir, testPath));
      const circus = new CircusFixtures({
        fixtures: file,
        print: (text) => consoleOf(this.global).info(text),
        ownFolder: __dirname,
      });
      this.#file = file;
      this.#circus = circus;
      this.#release = dieWithTheRunner();
      const bridge: Bridge = {
        explicitly: (define) => circus.explicitly(define),
        use: (options) => circus.use(options),
      };
      Object.defineProperty(this.global, BRIDGE_KEY, { value: bridge });
    }

    override async teardown(): Promise<void> {
      try {
        await this.#file?.end();
      } finally {
        this.#release?.();
        await super.teardown();
      }
    }

    // Not async: tests are defined synchronously, and Jest's own handler has just taken them in.
    override handleTestEvent(event: never, state: never): void | Promise<void> {
      const base = super.handleTestEvent?.(event, state);
      const ours = this.#circus?.handle(event as CircusEvent, state as CircusState);
      if (ours === undefined) return base;
      return Promise.all([base, ours]).then(() => {});
    }
  };
}

/** Where a test realm keeps the console to which Jest attributes output. */
function consoleOf(global: object): Console {
  return (global as { console: Console }).console;
}

function realmIn(context: Context): Realm {
  realmScript ??= new Script(
    `(function (module, exports) {${readFileSync(REALM_SCRIPT, "utf8")}\n})`,
    { filename: REALM_SCRIPT },
  );
  const load = realmScript.runInContext(context) as (module: object, exports: object) => void;
  const module = { exports: {} as { createRealm: () => Realm } };
  load(module, module.exports);
  return module.exports.createRealm();
}

/**
 * The environment of the preset: Jest's node environment with the fixtures, or with them over the
 * one that `testEnvironmentOptions.baseEnvironment` names (`"jsdom"`, a package, a path).
 */
function TidyboxEnvironment(config: EnvironmentConfig, context: EnvironmentContext): Environment {
  if (new.target !== TidyboxEnvironment) {
    throw new ConfigurationError({
      message: "The environment of @tidybox/jest cannot be extended.",
      advice:
        'Extend Jest\'s own, and export require("@tidybox/jest/environment").withSandboxes(YourEnvironment).',
    });
  }
  const { rootDir, testEnvironmentOptions } = config.projectConfig;
  const name = testEnvironmentOptions["baseEnvironment"] ?? "node";
  return new (extended(loadEnvironment(String(name), rootDir)))(config, context);
}

/** As a class, which is how Jest makes one. */
export const TestEnvironment = TidyboxEnvironment as unknown as EnvironmentClass;
export default TestEnvironment;

/** By Jest's own rules: a short name means `jest-environment-<name>`. */
function loadEnvironment(name: string, rootDir: string): EnvironmentClass {
  const source = `testEnvironmentOptions.baseEnvironment "${name}"`;
  const fromProject = createRequire(join(rootDir, "package.json"));
  // Jest brings its node environment along, where a strict package manager shows it to Jest alone.
  const fromJest = createRequire(process.argv[1] ?? __filename);
  let cause: unknown;
  for (const request of [`jest-environment-${name}`, name]) {
    for (const require of [fromProject, fromJest]) {
      try {
        const loaded: unknown = require(request);
        const found = environmentIn(loaded);
        if (found !== undefined) return found;
        throw notAnEnvironment(source);
      } catch (error) {
        if (error instanceof ConfigurationError) throw error;
        if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND")
          throw notLoaded(source, error);
        cause ??= error;
      }
    }
  }
  throw notLoaded(source, cause);
}

function environmentIn(loaded: unknown): EnvironmentClass | undefined {
  const candidates: readonly unknown[] = [
    loaded,
    ...(typeof loaded === "object" && loaded !== null
      ? [Reflect.get(loaded, "default"), Reflect.get(loaded, "TestEnvironment")]
      : []),
  ];
  return candidates.find(
    (each): each is EnvironmentClass =>
      typeof each === "function" &&
      typeof Reflect.get(each.prototype ?? {}, "getVmContext") === "function",
  );
}

function notAnEnvironment(what: string): ConfigurationError {
  return new ConfigurationError({
    message: `${what} is no environment of Jest's: it has no class with a getVmContext().`,
    advice:
      "Name one such as node or jsdom, or a module that exports a class which extends one of them.",
  });
}

function notLoaded(source: string, cause: unknown): ConfigurationError {
  return new ConfigurationError({
    message: `${source} cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`,
    advice: "Install it (jest-environment-jsdom, for instance), or correct the name.",
    cause,
  });
}
