import type { ModuleSystem } from "./cells.ts";

/** How a project's sources become what Jest runs, as a value for `jest.config.json`. */
export interface Transpiler {
  readonly name: string;
  readonly extension: "js" | "ts";
  /** Jest's `transform`; `undefined` is no transform at all. */
  readonly transform?: (modules: ModuleSystem) => readonly [string, object];
  /**
   * What `async ({ sandbox }) => sandbox` is written as, read back from the function, white space
   * as one blank: proof that the options did what their name says.
   */
  readonly sample: string;
  /** Nothing of the parameter's pattern is left in an async function's text. Default false. */
  readonly hidesParameters?: boolean;
}

const NATIVE = "^async \\(\\{ sandbox \\}\\) ?=> ?(\\{ return )?sandbox;?";
/** Babel's wrapper: the parameter is in a function within, that nobody can reach. */
const HIDDEN = "^function \\w*\\(_x\\) \\{ return \\w+\\.apply\\(this, arguments\\); \\}$";

export const TRANSPILERS: readonly Transpiler[] = [
  { name: "none", extension: "js", sample: NATIVE },
  babel("babel current", { node: "current" }, NATIVE),
  babel("babel node 6", { node: "6" }, HIDDEN),
  babel("babel ie 11", { ie: "11" }, HIDDEN),
  babel("babel coverage", { node: "current" }, "^async \\(\\{ sandbox \\}\\) => \\{ cov_", [
    // As `--coverage` does it for sources; here also for the tests themselves.
    ["babel-plugin-istanbul", { include: ["**/*"], exclude: [] }],
  ]),
  typescript("ES5", "^function \\(_a\\) \\{ return __awaiter\\(.* sandbox = _b\\.sandbox"),
  typescript("ES2015", "^\\(_a\\) => __awaiter\\(.*function\\* \\(\\{ sandbox \\}\\)"),
  typescript("ES2017", NATIVE),
  typescript("ES2022", NATIVE),
  swc("es5", "^function \\w*\\((_?param)\\) \\{ .*sandbox = \\1\\.sandbox"),
  swc("es2015", "^\\(\\{ sandbox \\}\\)=> ?_async_to_generator\\("),
  swc("es2017", NATIVE),
  swc("es2022", NATIVE),
];

function babel(
  name: string,
  targets: object,
  sample: string,
  plugins: readonly unknown[] = [],
): Transpiler {
  return {
    name,
    extension: "js",
    transform: () => [
      "babel-jest",
      {
        babelrc: false,
        configFile: false,
        presets: [["@babel/preset-env", { targets }]],
        plugins,
      },
    ],
    sample,
    hidesParameters: sample === HIDDEN,
  };
}

function typescript(target: string, sample: string): Transpiler {
  return {
    name: `ts-jest ${target}`,
    extension: "ts",
    transform: (modules) => [
      "ts-jest",
      {
        useESM: modules === "esm",
        // The suites have no types: those are tested by test/types.
        diagnostics: false,
        tsconfig: {
          target,
          lib: ["ES2023"],
          module: modules === "esm" ? "ESNext" : "CommonJS",
          moduleResolution: modules === "esm" ? "Bundler" : "Node10",
          isolatedModules: true,
          downlevelIteration: true,
          esModuleInterop: true,
        },
      },
    ],
    sample,
  };
}

function swc(target: string, sample: string): Transpiler {
  return {
    name: `swc ${target}`,
    extension: "ts",
    transform: () => [
      "@swc/jest",
      { swcrc: false, jsc: { target, parser: { syntax: "typescript" } } },
    ],
    sample,
  };
}
