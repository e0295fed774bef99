import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
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

function childrenOf(pid: number): readonly number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, "latin1")
      .split(" ")
      .filter((word) => word !== "")
      .map(Number),
  );
}

/** What is open in a process below the private folder. */
function openIn(pid: number): readonly string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/${pid}/fd/${fd}`);
      return target.startsWith(folder) ? [target] : [];
    } catch {
      return [];
    }
  });
}

describe.runIf(process.platform === "linux").each([
  // The second process there lets nobody in the sandbox look.
  ["bubblewrap", ["self", "1"]],
  ["process", ["self"]],
] as const)("what the starter of a service left open, with the engine %s", (engine, processes) => {
  test("is open neither in the service nor in its helper nor in a sandbox", async () => {
    const service = await startTestService({ engine }, leaking());
    try {
      const pid = service.process.pid ?? 0;
      const children = childrenOf(pid);
      expect(children.length).toBeGreaterThan(0);
      for (const each of [pid, ...children]) expect(openIn(each)).toEqual([]);

      const sandboxId = await createRunning(service.client);
      for (const process of processes) {
        const open = await sh(service.client, sandboxId, `ls -l /proc/${process}/fd`);
        expect(open).toMatchObject({ exitCode: 0, stdout: expect.stringContaining(" 0 -> ") });
        expect(open.stdout).not.toContain(folder);
        const door = `/proc/${process}/fd/200/secret`;
        expect((await sh(service.client, sandboxId, `cat ${door}`)).stdout).toBe("");
      }
    } finally {
      await service.close();
    }
  });
});
