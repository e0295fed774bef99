import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { thisProcess } from "./state-folder/process-identity.ts";
import { descendantsOf, procFile } from "./testing/process-tree.ts";
import {
  createRunning,
  eventually,
  sh,
  specOf,
  startTestService,
  stateFolders,
} from "./testing/test-service.ts";

const SANDBOXES = 100;
const TIMEOUT_MILLISECONDS = 120_000;

/** The engine docker has a test of its own: its sandboxes are not the service's processes. */
describe.each(["bubblewrap", "process"] as const)("SIGKILL of a service, engine %s", (engine) => {
  test(
    `with ${SANDBOXES} sandboxes leaves no process; the next start removes what is left, and nobody else's`,
    { timeout: TIMEOUT_MILLISECONDS },
    async () => {
      const crashed = await startTestService({ engine });
      let next: typeof crashed | undefined;
      try {
        await Promise.all(
          Array.from({ length: SANDBOXES }, async (_, index) => {
            const command = index % 2 === 0 ? { command: "/bin/sleep", args: ["600"] } : {};
            const sandboxId = await createRunning(crashed.client, specOf(command));
            const daemon = "setsid sleep 600 >/dev/null 2>&1 & mkdir closed && chmod 000 closed";
            await sh(crashed.client, sandboxId, daemon);
          }),
        );
        const [left = ""] = stateFolders(crashed);
        const { pid: own = 0 } = crashed.process;
        // Daemons of plain processes are nobody's children.
        const running = identities([own, ...descendantsOf(own), ...processesIn(left)]);
        expect(running.size).toBeGreaterThan(1.5 * SANDBOXES);
        const neighbours = [
          folderOf(crashed.folder, "tidybox-alive", thisProcess()),
          folderOf(crashed.folder, "tidybox-of-nobody", undefined),
          folderOf(crashed.folder, "another-program", undefined),
        ];
        const killed = performance.now();
        crashed.process.kill("SIGKILL");
        await eventually(() => [...running].every(([pid, start]) => startOf(pid) !== start));
        const seconds = ((performance.now() - killed) / 1000).toFixed(1);
        process.stdout.write(
          `${engine}: ${running.size} processes gone ${seconds} s after the SIGKILL\n`,
        );
        expect(processesIn(left)).toEqual([]);

        next = await startTestService({ engine }, ["/usr/bin/env", `TMPDIR=${crashed.folder}`]);
        const folders = readdirSync(crashed.folder).map((name) => join(crashed.folder, name));
        expect(folders).not.toContain(left);
        expect(folders).toEqual(expect.arrayContaining(neighbours));
        // The next one's own, and nothing else.
        expect(folders).toHaveLength(neighbours.length + 1);
        for (const neighbour of neighbours) expect(readdirSync(neighbour)).toContain("kept");
        expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(crashed.folder);
        await createRunning(next.client);
      } finally {
        await next?.close();
        for (const name of readdirSync(crashed.folder))
          rmSync(join(crashed.folder, name), { recursive: true, force: true });
        // It ended by the signal, as it was told to.
        await crashed.close().catch((error: Error) => expect(error.message).toContain("SIGKILL"));
      }
    },
  );
});

function folderOf(parent: string, name: string, owner: object | undefined): string {
  const path = join(parent, name);
  mkdirSync(path, { mode: 0o700 });
  writeFileSync(join(path, "kept"), "");
  if (owner !== undefined) writeFileSync(join(path, "owner.json"), JSON.stringify(owner));
  return path;
}

function identities(pids: readonly number[]): ReadonlyMap<number, string> {
  const all = pids.map((pid) => [pid, startOf(pid)] as const);
  // One that ended while it was looked at is nobody to wait for.
  return new Map(all.filter(([, start]) => start !== ""));
}

/** Tells a process from a later one of the same number; empty for one that is dead. */
function startOf(pid: number): string {
  const stat = procFile(pid, "stat");
  const [state, ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return state === "Z" ? "" : (fields[18] ?? "");
}

/** Processes that work in the folder, or see a part of it as theirs. */
function processesIn(folder: string): readonly number[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((name) => {
    try {
      return (
        readFileSync(`/proc/${name}/mountinfo`, "utf8").includes(folder) ||
        readFileSync(`/proc/${name}/environ`, "utf8").includes(folder)
      );
    } catch {
      return false;
    }
  });
}
