import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { outsideEnvironment } from "../../support/environment.ts";
import type { JestBed } from "./bed.ts";
import type { Launch } from "./cells.ts";
import { writeProject } from "./project.ts";

/** One test as Jest's own report has it. */
export interface Outcome {
  readonly title: string;
  readonly status: "passed" | "failed" | "pending" | "todo";
  readonly messages: readonly string[];
}

/** What one test file of one project came to. */
export interface FileEnd {
  readonly outcomes: readonly Outcome[];
  /** Why the file did not run at all; empty when it did. */
  readonly problem: string;
  /** Sandboxes that its tests asked for, by the run's own account. */
  readonly sandboxes: number;
}

export interface LaunchEnd {
  readonly output: string;
  /** The line that begins with `tidybox  run`. */
  readonly account: string;
  /** By `folder/suite`. */
  readonly files: ReadonlyMap<string, FileEnd>;
}

const TIMEOUT_SECONDS = 500;

/** Runs Jest once, in a folder of its own that is removed afterwards. */
export async function runLaunch(bed: JestBed, launch: Launch): Promise<LaunchEnd> {
  const directory = await mkdtemp(join(bed.directory, "project-"));
  // Sticky and open to all, as /tmp is: a service that root starts goes on as somebody else.
  const temp = await mkdtemp(join(tmpdir(), "tidybox-temp-"));
  try {
    await chmod(temp, 0o1777);
    await writeProject(directory, launch);
    const output = await runJest(bed, launch, directory, temp);
    const account = output.split("\n").find((line) => line.includes("tidybox  run ")) ?? "";
    return { output, account, files: await readFiles(directory, output) };
  } finally {
    for (const path of [directory, temp])
      await rm(path, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function runJest(
  bed: JestBed,
  launch: Launch,
  directory: string,
  temp: string,
): Promise<string> {
  const child = spawn(
    bed.nodes[launch.node],
    [
      join(bed.directory, "node_modules/jest/bin/jest.js"),
      "--config=jest.config.json",
      "--json",
      "--outputFile=report.json",
      "--ci",
      launch.pool === "in band" ? "--runInBand" : "--maxWorkers=2",
    ],
    {
      cwd: directory,
      env: outsideEnvironment({
        CI: "1",
        NO_COLOR: "1",
        TMPDIR: temp,
        XDG_STATE_HOME: join(temp, "state"),
        MATRIX_CELL: JSON.stringify({
          pool: launch.pool,
          modules: launch.modules,
          node: launch.node,
        }),
        ...(launch.modules === "esm" ? { NODE_OPTIONS: "--experimental-vm-modules" } : {}),
      }),
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  const { pid } = child;
  if (pid === undefined) throw new Error("Jest could not be started");
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const late = setTimeout(() => process.kill(-pid, "SIGKILL"), TIMEOUT_SECONDS * 1000);
  await once(child, "exit");
  clearTimeout(late);
  return output;
}

interface JestReport {
  readonly testResults: readonly {
    readonly name: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: Outcome["status"];
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

interface AccountReport {
  readonly sandboxes: readonly { readonly file: string }[];
}

async function readFiles(directory: string, output: string): Promise<ReadonlyMap<string, FileEnd>> {
  const read = async (name: string): Promise<string> =>
    readFile(join(directory, name), "utf8").catch((cause: unknown) => {
      throw new Error(`Jest left no ${name}; it printed:\n${output.slice(-4000)}`, { cause });
    });
  const report = JSON.parse(await read("report.json")) as JestReport;
  const account = JSON.parse(await read("account.json")) as AccountReport;
  return new Map(
    report.testResults.map(({ name, message, assertionResults }) => [
      `${basename(dirname(name))}/${basename(name).replace(/\.test\..*$/, "")}`,
      {
        outcomes: assertionResults.map(({ fullName, status, failureMessages }) => ({
          title: fullName,
          status,
          messages: failureMessages,
        })),
        problem: assertionResults.length === 0 ? message : "",
        sandboxes: account.sandboxes.filter(({ file }) => file !== "" && name.endsWith(`/${file}`))
          .length,
      },
    ]),
  );
}
