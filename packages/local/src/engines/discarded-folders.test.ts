import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import {
  createRunning,
  eventually,
  sh,
  startTestService,
  stateFolders,
} from "../testing/test-service.ts";

test.each(["bubblewrap", "process"] as const)(
  "ended sandboxes of the engine %s leave nothing, also one that locked itself up",
  async (engine) => {
    const service = await startTestService({ engine });
    try {
      const ids: string[] = [];
      for (let count = 0; count < 4; count += 1) ids.push(await createRunning(service.client));
      for (const id of ids) await sh(service.client, id, "mkdir -p left/behind; echo > left/file");
      await sh(service.client, ids[0] ?? "", "chmod 000 left");
      // `find` does not mind what vanishes while it looks.
      const left = () =>
        spawnSync("find", [...stateFolders(service), "-path", "*/workspace/left"], {
          encoding: "utf8",
        })
          .stdout.split("\n")
          .filter((path) => path !== "");
      expect(left()).toHaveLength(4);
      await service.client.purgeSandboxes({ purgeAll: true });
      await eventually(() => left().length === 0);
    } finally {
      await service.close();
    }
  },
);
