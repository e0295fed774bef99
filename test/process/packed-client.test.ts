import { spawn } from "node:child_process";
import { constants } from "node:os";
import { join } from "node:path";
import { build } from "tsup";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { type Project, makeProject } from "../support/bed.ts";
import { outsideEnvironment } from "../support/environment.ts";
import { until } from "../support/observer.ts";
import { type Served, startServe } from "../support/serve.ts";

/** The packed client, in the forms in which programs have it. */
const FORMS = {
  "module.mjs": `import { Sandbox } from "@tidybox/client"; main([Sandbox]);`,
  "common.cjs": `const { Sandbox } = require("@tidybox/client"); main([Sandbox]);`,
  "two-copies.mjs": `
    import { createRequire } from "node:module";
    import { Sandbox } from "@tidybox/client";
    const { Sandbox: Other } = createRequire(import.meta.url)("@tidybox/client");
    if (Sandbox === Other) throw new Error("one copy only");
    main([Sandbox, Other]);
  `,
} as const;
const MAIN = `
  async function main(copies) {
    for (const Sandbox of copies) await Sandbox.run();
    process._rawDebug(["beforeExit", "exit", "SIGINT"].map((event) => process.listenerCount(event)).join());
    process._rawDebug("ready");
    if (process.argv[2] === "exit") process.exit(7);
    if (process.argv[2] === "throw") throw new Error("boom");
    if (process.argv[2] === "wait") await new Promise((resolve) => setTimeout(resolve, 60_000));
  }
`;
/** Both bundles hold the client; neither holds the program that outlives the process. */
const BUNDLES = ["bundled.js", "bundled.cjs"];
const programs = [...Object.keys(FORMS), ...BUNDLES];

const bed = inject("beds").at(-1);
if (bed === undefined) throw new Error("no bed");

let project: Project;
let service: Served;
beforeAll(async () => {
  service = await startServe(bed);
  project = await makeProject(
    bed,
    Object.fromEntries(Object.entries(FORMS).map(([name, code]) => [name, `${code}\n${MAIN}`])),
  );
  await build({
    config: false,
    silent: true,
    entry: { bundled: join(project.directory, "module.mjs") },
    outDir: project.directory,
    format: ["esm", "cjs"],
    noExternal: [/^[^.]/],
    splitting: false,
  });
});
afterAll(async () => {
  await project?.[Symbol.asyncDispose]();
  await service?.[Symbol.asyncDispose]();
});

test.each(
  programs.flatMap((program) => [
    { program, ending: "normal", status: 0 },
    { program, ending: "exit", status: 7 },
    { program, ending: "throw", status: 1 },
    { program, ending: "wait", status: 128 + constants.signals.SIGINT },
  ]),
)("$program, $ending: status $status, and nothing is left", async ({ program, ending, status }) => {
  const child = spawn(process.execPath, [join(project.directory, program), ending], {
    cwd: "/",
    env: outsideEnvironment(service.env),
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
    if (ending === "wait" && stderr.includes("ready")) child.kill("SIGINT");
  });
  const ended = await new Promise<number>((resolve) => {
    child.once("close", (code, signal) =>
      resolve(code ?? 128 + constants.signals[signal ?? "SIGKILL"]),
    );
  });
  expect(ended, stderr).toBe(status);
  // However many copies there are, each event has one listener of ours.
  expect(stderr).toMatch(/^1,1,1\nready\n/);
  if (ending !== "throw") expect(stderr).toBe("1,1,1\nready\n");
  await until(
    "nothing is left",
    20,
    () => service.list(),
    (left) => left.length === 0,
  );
});
