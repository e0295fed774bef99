import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { descendantsOf } from "../testing/process-tree.ts";
import { createRunning, sh, startTestService } from "../testing/test-service.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync("/tmp/local-test-private-");
  writeFileSync(`${folder}/secret`, "host secret");
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Starts the words after it with the folder open, as a careless script would. */
const leaking = (): readonly string[] => [
  "/bin/bash",
  "-c",
  `exec 200<${folder} 201<>${folder}/secret; exec "$@"`,
  "bash",
];

/** What is open in a process below the private folder; nothing where it has ended. */
function openIn(pid: number): readonly string[] {
  if (!existsSync(`/proc/${pid}/fd`)) return [];
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/${pid}/fd/${fd}`);
      return target.startsWith(folder) ? [target] : [];
    } catch {
      return [];
    }
  });
}

describe.runIf(process.platform === "linux").each(["bubblewrap", "process"] as const)(
  "what the starter of a service left open, with the engine %s",
  (engine) => {
    test("is open neither in the service nor in its helper nor in a sandbox", async () => {
      const service = await startTestService({ engine }, leaking());
      try {
        const pid = service.process.pid ?? 0;
        const sandboxId = await createRunning(service.client);
        const started = descendantsOf(pid);
        expect(started.length).toBeGreaterThan(0);
        for (const each of [pid, ...started]) expect(openIn(each)).toEqual([]);

        const open = await sh(service.client, sandboxId, "ls -l /proc/self/fd");
        expect(open).toMatchObject({ exitCode: 0, stdout: expect.stringContaining(" 0 -> ") });
        expect(open.stdout).not.toContain(folder);
        for (const process of ["self", "1"]) {
          const door = `/proc/${process}/fd/200/secret`;
          expect((await sh(service.client, sandboxId, `cat ${door}`)).stdout).toBe("");
        }
      } finally {
        await service.close();
      }
    });
  },
);
