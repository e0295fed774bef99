import { sideBySide } from "../measure.ts";
import { describeRatio, describeSample, type Result } from "../report.ts";
import { startService } from "../service.ts";
import { makeVitestProject, type VitestProject } from "../vitest-project.ts";

const WORKERS = 4;
const FILES = ["a", "b", "c", "d"] as const;
const SLOTS = 16;
/** A preparation costs less than doing it in every test; how much less the figures say. */
const LIMIT = 1;

export interface PreparedOptions {
  readonly tests: number;
  readonly prepareSeconds: number;
  readonly sizeMegabytes: number;
  readonly rounds: number;
}

const config = (options: Readonly<Record<string, unknown>>): string => `
  import { tidybox } from "@tidybox/vitest/plugin";
  export default {
    plugins: [tidybox(${JSON.stringify({ maxSandboxes: SLOTS, startTimeoutSeconds: 300, ...options })})],
    test: { maxWorkers: ${WORKERS}, testTimeout: 300_000, hookTimeout: 300_000 },
  };
`;

/** Not of zeros, which a file system or an archive may make nothing of. */
const script = ({ prepareSeconds, sizeMegabytes }: PreparedOptions): string =>
  `sleep ${prepareSeconds}; head -c ${sizeMegabytes}000000 /dev/urandom > /workspace/data`;

const PREPARE = (options: PreparedOptions): string => `
  import type { Sandbox } from "@tidybox/client";
  export default async (sandbox: Sandbox): Promise<void> => {
    await sandbox.exec(["sh", "-c", ${JSON.stringify(script(options))}], { check: true, timeoutSeconds: 120 });
  };
`;

const testsOf = (count: number, sizeMegabytes: number, preparation: string): string => `
  import { expect, test } from "@tidybox/vitest";
  for (let index = 0; index < ${count}; index += 1)
    test("test " + index, async ({ sandbox }) => {
      ${preparation}
      const { stdout } = await sandbox.exec(["stat", "-c", "%s", "/workspace/data"]);
      expect(stdout).toBe("${sizeMegabytes}000000\\n");
    });
`;

/** Each test from the result of one preparation, against doing it in every test. */
export async function prepared(options: PreparedOptions): Promise<readonly Result[]> {
  await using service = await startService("bubblewrap");
  const served = {
    CWSANDBOX_BASE_URL: service.connection.baseUrl,
    CWSANDBOX_API_KEY: service.apiKey,
  };
  return [
    await compare("embedded engine", options, { backend: "local" }, {}),
    await compare("tidybox serve", options, {}, served),
  ];
}

async function compare(
  where: string,
  options: PreparedOptions,
  backend: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>>,
): Promise<Result> {
  const { tests, prepareSeconds, sizeMegabytes, rounds } = options;
  const each = Math.ceil(tests / FILES.length);
  const project = (sandbox: object, preparation: string): Promise<VitestProject> =>
    makeVitestProject({
      "prepare.ts": PREPARE(options),
      "vitest.config.mjs": config({ ...backend, sandbox }),
      ...Object.fromEntries(
        FILES.map((file) => [`${file}.test.js`, testsOf(each, sizeMegabytes, preparation)]),
      ),
    });
  await using once = await project({ prepare: "./prepare.ts" }, "");
  const inTest = `await sandbox.exec(["sh", "-c", ${JSON.stringify(script(options))}], { check: true, timeoutSeconds: 120 });`;
  await using always = await project({}, inTest);
  const whole = async (suite: VitestProject): Promise<number> => {
    const { spawnedAt, exitedAt } = await suite.run({ env });
    return exitedAt - spawnedAt;
  };
  const samples = await sideBySide(
    [
      { name: "prepared once", once: () => whole(once) },
      { name: "prepared in every test", once: () => whole(always) },
    ],
    rounds,
    0,
  );
  const [ours, theirs] = samples;
  return {
    name: `${tests} tests whose preparation takes ${prepareSeconds} s and writes ${sizeMegabytes} MB, ${where}: prepared once against in every test`,
    value: (ours?.medianMs ?? Number.NaN) / (theirs?.medianMs ?? Number.NaN),
    unit: "×",
    limit: LIMIT,
    figures: [...samples.map(describeSample), describeRatio(ours, theirs)],
    samples,
  };
}
