import type { Sentence } from "../contract.ts";
import { containers } from "./containers.ts";
import { securityContext } from "./security-context.ts";
import { volumes } from "./volumes.ts";
import { lifecycle } from "./lifecycle.ts";
import { snapshots } from "./snapshots.ts";
import { snapshotRestore } from "./snapshot-restore.ts";
import { services } from "./services.ts";
import { network } from "./network.ts";
import { resources } from "./resources.ts";
import { secretsAndFiles } from "./secrets-and-files.ts";
import { placement } from "./placement.ts";
import { templates } from "./templates.ts";
import { specLimits } from "./spec-limits.ts";
import { checklistSnapshots } from "./checklist-snapshots.ts";
import { discoveryAndSettings } from "./discovery-and-settings.ts";

/** In the order of the reference. */
export const sentences: readonly Sentence[] = [
  ...containers,
  ...securityContext,
  ...volumes,
  ...lifecycle,
  ...snapshots,
  ...snapshotRestore,
  ...services,
  ...network,
  ...resources,
  ...secretsAndFiles,
  ...placement,
  ...templates,
  ...specLimits,
  ...checklistSnapshots,
  ...discoveryAndSettings,
];
