import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CaseContext } from "./contract.ts";
import { type Bed, type BedName, openBed } from "./beds.ts";

/** What a furnished service holds; organizations have the like of it. */
export const TEMPLATES = {
  whole: {
    containers: [
      {
        name: "main",
        image: "python:3.11",
        environmentVariables: { FROM: "template", ALSO: "kept" },
      },
    ],
    primaryContainer: "main",
    tags: ["of-the-template"],
    annotations: { owner: "template", team: "one" },
    maxLifetimeSeconds: 120,
    services: [],
    volumes: [{ name: "data", scratch: {} }],
  },
  /** Only overrides can make a sandbox of it. */
  bare: { maxLifetimeSeconds: 90 },
  /** Its container cannot be made. */
  imageless: { containers: [{ name: "main" }] },
} as const;

export const SECRETS = {
  store: {
    plain: "plain-secret-value",
    structured: { user: "me", password: "nested-secret-value" },
  },
  second: { other: "other-secret-value" },
} as const;

/** Ids of registered volumes; both are empty at first. */
export const SHARED_VOLUME = "shared";
export const READ_ONLY_VOLUME = "frozen";

interface FurnishedBed {
  readonly bed: Bed;
  close(): Promise<void>;
}

/** By the plain bed of the same engine; opened when the first case asks for it. */
const furnishedBeds = new Map<Bed, Promise<FurnishedBed>>();

/** The same case on another service of its engine, which has the templates, secrets and volumes. */
export async function furnished({ bed, tag }: CaseContext): Promise<CaseContext> {
  const opening = furnishedBeds.get(bed) ?? openFurnishedBed(bed.name);
  furnishedBeds.set(bed, opening);
  return { bed: (await opening).bed, tag };
}

/** All services that cases of this bed have used. */
export async function bedsOf(bed: Bed): Promise<readonly Bed[]> {
  const other = await furnishedBeds.get(bed);
  return other === undefined ? [bed] : [bed, other.bed];
}

export async function closeBed(bed: Bed): Promise<void> {
  const other = await furnishedBeds.get(bed);
  furnishedBeds.delete(bed);
  await bed.service.close();
  await other?.close();
}

async function openFurnishedBed(name: BedName): Promise<FurnishedBed> {
  const folder = mkdtempSync(join(tmpdir(), "tidybox-furnished-"));
  const secretsFile = join(folder, "secrets.json");
  writeFileSync(secretsFile, JSON.stringify(SECRETS), { mode: 0o600 });
  chmodSync(folder, 0o755);
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    const bed = await openBed(name, (starter) => {
      // Only whoever starts the service may be able to read it.
      if (starter !== undefined) chownSync(secretsFile, starter.uid, starter.gid);
      return {
        secretsFile,
        templates: TEMPLATES,
        volumes: { [SHARED_VOLUME]: {}, [READ_ONLY_VOLUME]: { readOnly: true } },
      };
    });
    const close = (): Promise<void> => bed.service.close().finally(remove);
    return { bed, close };
  } catch (error) {
    remove();
    throw error;
  }
}
