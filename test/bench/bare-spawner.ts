import { spawn } from "node:child_process";

// A process that does nothing but spawn: the cost of a spawn grows with the spawner's memory, so a
// baseline taken inside the benchmark's own process would flatter us.
process.on("message", (argv: readonly string[]) => {
  const [command = "", ...args] = argv;
  const startedAt = performance.now();
  const child = spawn(command, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: "/usr/bin:/bin" },
  });
  child.stdout.resume();
  child.stderr.resume();
  child.once("close", (code) => process.send?.({ code, ms: performance.now() - startedAt }));
});
process.once("disconnect", () => process.exit(0));
