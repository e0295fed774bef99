import type { Sentence } from "../contract.ts";
import { lifecycle } from "./lifecycle.ts";
import { snapshots } from "./snapshots.ts";
import { snapshotRestore } from "./snapshot-restore.ts";
import { services } from "./services.ts";
import { network } from "./network.ts";
import { resources } from "./resources.ts";
import { secretsAndFiles } from "./secrets-and-files.ts";
import { placement } from "./placement.ts";
import { templates } from "./templates.ts";

/** In the order of the reference. */
export const sentences: readonly Sentence[] = [
  ...lifecycle,
  ...snapshots,
  ...snapshotRestore,
  ...services,
  ...network,
  ...resources,
  ...secretsAndFiles,
  ...placement,
  ...templates,
];
