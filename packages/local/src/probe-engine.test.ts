import { expect, test } from "vitest";
import { probeEngine } from "./probe-engine.ts";

test("proves the engines that work here, and leaves this process as it is", async () => {
  const uid = process.getuid?.();
  expect(await probeEngine("process")).toMatchObject({ works: true, engine: "process" });
  expect(await probeEngine("bubblewrap")).toMatchObject({ works: true, engine: "bubblewrap" });
  expect(process.getuid?.()).toBe(uid);
});
