import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { belongsToAnAccount } from "./privileges/identity.ts";
import { isReachableByOthers } from "./privileges/reachable.ts";
import type { OtherAccountFindings } from "./testing/other-account.ts";
import {
  createRunning,
  sh,
  specOf,
  startTestService,
  stateFolders,
  type TestService,
} from "./testing/test-service.ts";
import { testedEngines } from "./testing/tested-engines.ts";

/** Nobody's here, and not what services become. */
const OTHER_ID = 54_321;

const SEARCHER = fileURLToPath(new URL("testing/other-account.ts", import.meta.url));
const SECONDS = 20;

/** Another account of this machine, in processes that are really its own. */
describe.runIf(process.getuid?.() === 0).each(testedEngines.filter((name) => name !== "docker"))(
  "another account, with the engine %s",
  (engine) => {
    test("gets no answer, opens no folder, and finds the token nowhere", async (context) => {
      if (belongsToAnAccount(OTHER_ID)) context.skip(`needs that nobody has the id ${OTHER_ID}`);
      if (!isReachableByOthers(fileURLToPath(new URL("testing", import.meta.url))))
        context.skip("needs a checkout that other accounts can read");
      const service = await startTestService({ engine });
      try {
        const sandboxId = await createRunning(
          service.client,
          specOf({ files: [{ path: "/workspace/private", content: Buffer.from("mine") }] }),
        );
        await sh(service.client, sandboxId, "sleep 600 >/dev/null 2>&1 & chmod -R a+rwX .");
        const found = await searchAsOther(service);
        expect(found.uid).toBe(OTHER_ID);
        // That there was something to look at shows that the rest was refused, and not missed.
        expect(found.processes).toBeGreaterThan(3);
        expect(found.placesOfItsOwn).toBeGreaterThan(0);
        expect(found.codes).toEqual([Code.Unauthenticated, Code.Unauthenticated]);
        expect(found.entered).toEqual([]);
        expect(found.placesOfToken).toEqual([]);
        expect(found.services).toEqual([]);
      } finally {
        await service.close();
      }
    });
  },
);

/** Everything below a service's folder, as only root sees it. */
function placesOf(service: TestService): readonly string[] {
  const [state = ""] = stateFolders(service);
  const below = readdirSync(state, { recursive: true, encoding: "utf8" });
  return [state, ...below.map((name) => join(state, name))];
}

async function searchAsOther(service: TestService): Promise<OtherAccountFindings> {
  const child = spawn(process.execPath, [SEARCHER], {
    uid: OTHER_ID,
    gid: OTHER_ID,
    cwd: "/",
    env: { TMPDIR: service.folder, SECRET: "of the searcher itself" },
    stdio: ["pipe", "pipe", "inherit"],
    timeout: SECONDS * 1000,
  });
  // Not as an argument, where the search would find it.
  const { baseUrl, token } = service;
  child.stdin.end(JSON.stringify({ baseUrl, token, places: placesOf(service) }));
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`the search ended with ${code}`);
  return JSON.parse(said) as OtherAccountFindings;
}
