import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { afterEach, beforeEach, expect, inject, test } from "vitest";
import { startServe } from "../support/serve.ts";

/** Enough for Node to be still reading when everything else has been loaded. */
const COPIES = 40;

const [bed] = inject("beds");
const before = process.env["NODE_EXTRA_CA_CERTS"];
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tidybox-certificates-"));
  const file = join(folder, "extra.pem");
  await writeFile(file, `${rootCertificates.join("\n")}\n`.repeat(COPIES));
  process.env["NODE_EXTRA_CA_CERTS"] = file;
});
afterEach(async () => {
  if (before === undefined) delete process.env["NODE_EXTRA_CA_CERTS"];
  else process.env["NODE_EXTRA_CA_CERTS"] = before;
  await rm(folder, { recursive: true });
});

// Node reads them in a thread, with a descriptor that looks like one that was inherited.
test("certificates of the user's own are read to the end while inherited descriptors are closed", async () => {
  if (bed === undefined) throw new Error("no bed");
  for (let attempt = 0; attempt < 3; attempt += 1) {
    await using served = await startServe(bed, ["--engine", "process"]);
    expect(await served.list()).toEqual([]);
    expect(served.stderr()).not.toContain("extra certs");
  }
});
