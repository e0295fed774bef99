import type { Sentence } from "../contract.ts";
import { sandboxSpec } from "./sandbox-spec.ts";
import { containers } from "./containers.ts";
import { securityContext } from "./security-context.ts";
import { volumes } from "./volumes.ts";
import { lifecycle } from "./lifecycle.ts";
import { snapshots } from "./snapshots.ts";
import { snapshotRestore } from "./snapshot-restore.ts";
import { services } from "./services.ts";
import { endpoints } from "./endpoints.ts";
import { network } from "./network.ts";
import { networkRules } from "./network-rules.ts";
import { resources } from "./resources.ts";
import { secretsAndFiles } from "./secrets-and-files.ts";
import { placement } from "./placement.ts";
import { templates } from "./templates.ts";
import { specLimits } from "./spec-limits.ts";
import { checklistSnapshots } from "./checklist-snapshots.ts";
import { discoveryAndSettings } from "./discovery-and-settings.ts";

/** In the order of the reference. */
export const sentences: readonly Sentence[] = [
  ...sandboxSpec,
  ...containers,
  ...securityContext,
  ...volumes,
  ...lifecycle,
  ...snapshots,
  ...snapshotRestore,
  ...services,
  ...endpoints,
  ...network,
  ...networkRules,
  ...resources,
  ...secretsAndFiles,
  ...placement,
  ...templates,
  ...specLimits,
  ...checklistSnapshots,
  ...discoveryAndSettings,
];
