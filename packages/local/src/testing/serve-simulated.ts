/**
 * A program like `tidybox serve`, whose sandboxes are simulated: the one argument is the options of
 * the service as JSON (all of them optional: `port`, `token`, `maxSandboxes`, `faults`, …), standard
 * output is the same two lines, SIGTERM ends it. Started with an IPC channel it answers "usage" with
 * its `{ memory, cpu }`, the memory without garbage where Node was started with `--expose-gc`.
 */
import type { LocalServiceOptions } from "../local-service.ts";
import { closeInheritedDescriptors } from "../spawner/inherited-descriptors.ts";
import { collectedMemory } from "./collected-memory.ts";

closeInheritedDescriptors();

const { startLocalServiceOver } = await import("../local-service.ts");
const { SimulatedEngine } = await import("./simulated-engine.ts");

const service = await startLocalServiceOver(() => Promise.resolve(new SimulatedEngine()), {
  label: "simulated sandboxes",
  // What only another engine needs of the machine is not looked for.
  engine: "process",
  ...(JSON.parse(process.argv[2] ?? "{}") as LocalServiceOptions),
  onNotice: ({ message }) => void process.stderr.write(`${message}\n`),
});

/** Safe to call twice. */
async function end(): Promise<void> {
  await service.close();
  if (process.connected) process.disconnect();
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => void end());
if (process.connected) {
  process.on("message", (message) => {
    if (message !== "usage") return;
    const cpu = process.cpuUsage();
    void collectedMemory().then((memory) => process.send?.({ memory, cpu }));
  });
  // Whoever started it is gone.
  process.on("disconnect", () => void end());
}
process.stdout.write(`CWSANDBOX_BASE_URL=${service.baseUrl}\nCWSANDBOX_API_KEY=${service.token}\n`);
