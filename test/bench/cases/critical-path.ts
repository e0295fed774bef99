import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { quantile } from "../measure.ts";
import type { Result } from "../report.ts";
import { startService } from "../service.ts";
import { makeVitestProject, type VitestProject } from "../vitest-project.ts";
import { CLOCK_JS, type FileTimes, timesOf } from "../warm-suite/clock.ts";

const FILES = ["a", "b"] as const;
const SLOTS = 64;
/** Long enough for a pool to be ahead of so few workers. */
const TEST_MILLISECONDS = 300;
const STOP_SECONDS = 1;

const LIMIT_MEDIAN_MILLISECONDS = 2;
const LIMIT_P99_MILLISECONDS = 10;

const CONFIG = `
  import { tidybox } from "@tidybox/vitest/plugin";
  export default {
    plugins: [tidybox({ maxSandboxes: ${SLOTS} })],
    test: { maxWorkers: ${FILES.length}, testTimeout: 120_000 },
  };
`;

/** The kinds of tests by turns, so that all meet the same machine. */
const KINDS = ["bare", "call", "sandbox"] as const;
type Kind = (typeof KINDS)[number];

const suite = (file: string, rounds: number): string => `
  import { test } from "@tidybox/vitest";
  import { Agent, request } from "node:http";
  import { setTimeout as sleep } from "node:timers/promises";
  import { afterAll, beforeEach } from "vitest";
  import { asked, done, got, leave } from "./clock.js";
  const agent = new Agent({ keepAlive: true });
  const call = () =>
    new Promise((resolve, reject) => {
      request(process.env.BENCH_URL, { agent }, (answer) => answer.resume().once("end", resolve)).once("error", reject).end();
    });
  const body = async () => { got(); await sleep(${TEST_MILLISECONDS}); done(); };
  beforeEach(asked);
  afterAll(() => { agent.destroy(); leave("${file}"); });
  for (let index = 0; index < ${rounds}; index += 1) {
    test("bare " + index, async () => { await body(); });
    test("with one call " + index, async () => { await call(); await body(); await call(); });
    test("with a sandbox " + index, async ({ sandbox }) => { await body(sandbox); });
  }
`;

/** Milliseconds that one test has taken beside its body. */
interface Around {
  /** From the ask to the begin of its body. */
  readonly before: number;
  /** From the end of its body to the next test's begin. */
  readonly after: number;
}

/**
 * What a fixture costs a test where the pool is ahead, whatever the service's latency.
 *
 * @param rounds of a test of each kind, in each of two files
 */
export async function criticalPath(
  rounds: number,
  startSeconds: number,
): Promise<readonly Result[]> {
  await using service = await startService("bubblewrap", [
    "--latency",
    `start=${startSeconds}s,stop=${STOP_SECONDS}s`,
  ]);
  await using project = await makeVitestProject({
    "clock.js": CLOCK_JS,
    "vitest.config.mjs": CONFIG,
    ...Object.fromEntries(FILES.map((file) => [`${file}.test.js`, suite(file, rounds)])),
  });
  await using server = createServer((_, answer) => answer.end());
  await once(server.listen(0, "127.0.0.1"), "listening");
  const env = {
    CWSANDBOX_BASE_URL: service.connection.baseUrl,
    CWSANDBOX_API_KEY: service.apiKey,
    BENCH_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
  };
  // The first run leaves what the next one knows.
  await measured(project, env);
  const files = await measured(project, env);
  const bare = files.flatMap((file) => around(file, "bare"));
  const call = files.flatMap((file) => around(file, "call"));
  // The first one also opens its worker's lease: its file pays that once.
  const all = files.map((file) => around(file, "sandbox"));
  const rest = all.flatMap((tests) => tests.slice(1));
  const first = all.flatMap((tests) => tests.slice(0, 1)).map(({ before }) => before);
  const overBare = (q: number): number => quantileOf(rest, q) - quantileOf(bare, 0.5);
  const name = `a fixture on the critical path, pool ahead, start ${startSeconds} s`;
  return [
    {
      name: `${name}: median`,
      ...{ value: overBare(0.5), unit: "ms", limit: LIMIT_MEDIAN_MILLISECONDS, samples: [] },
      figures: [
        described("bare test", bare),
        described("one plain HTTP call before its body and one after", call),
        described("with a sandbox", rest),
        `the first test of a file with a sandbox: ${first.map((ms) => ms.toFixed(0)).join(", ")} ms before its body`,
      ],
    },
    {
      name: `${name}: p99`,
      ...{ value: overBare(0.99), unit: "ms", limit: LIMIT_P99_MILLISECONDS, samples: [] },
      figures: ["each less the median of a bare test"],
    },
  ];
}

async function measured(
  project: VitestProject,
  env: Readonly<Record<string, string>>,
): Promise<readonly FileTimes[]> {
  await project.run({ env });
  return timesOf(project, FILES);
}

/** Of the tests of that kind; not of the last test of the file, which none comes after. */
function around({ tests }: FileTimes, kind: Kind): readonly Around[] {
  return tests.flatMap((test, index) => {
    const next = tests[index + 1];
    if (KINDS[index % KINDS.length] !== kind || next === undefined) return [];
    return [{ before: test.gotAt - test.askedAt, after: next.askedAt - test.doneAt }];
  });
}

function quantileOf(all: readonly Around[], q: number): number {
  return quantile(
    all.map(({ before, after }) => before + after).toSorted((a, b) => a - b),
    q,
  );
}

function described(name: string, all: readonly Around[]): string {
  const of = (part: keyof Around): string => {
    const sorted = all.map((each) => each[part]).toSorted((a, b) => a - b);
    return `median ${quantile(sorted, 0.5).toFixed(2)}, p99 ${quantile(sorted, 0.99).toFixed(2)}, worst ${(sorted.at(-1) ?? Number.NaN).toFixed(2)} ms`;
  };
  return `${name}: before its body ${of("before")}; from its end to the next test ${of("after")} (${all.length} tests)`;
}
