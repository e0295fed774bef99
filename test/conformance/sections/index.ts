import type { Sentence } from "../contract.ts";
import { authentication } from "./authentication.ts";
import { checklist } from "./checklist.ts";
import { checklistCommands } from "./checklist-commands.ts";
import { checklistSnapshots } from "./checklist-snapshots.ts";
import { containers } from "./containers.ts";
import { creating } from "./create.ts";
import { deleting } from "./delete.ts";
import { deletingWithSnapshots } from "./delete-with-snapshots.ts";
import { discoveryAndSettings } from "./discovery-and-settings.ts";
import { endpoints } from "./endpoints.ts";
import { errorCarrier } from "./error-carrier.ts";
import { errorCodes } from "./error-codes.ts";
import { exec } from "./exec.ts";
import { execEnd } from "./exec-end.ts";
import { fileCommands } from "./file-commands.ts";
import { fileLimits } from "./file-limits.ts";
import { files } from "./files.ts";
import { gettingAndListing } from "./get-and-list.ts";
import { jsSdk } from "./js-sdk.ts";
import { jsSdkFiles } from "./js-sdk-files.ts";
import { lifecycle } from "./lifecycle.ts";
import { logSessions } from "./log-sessions.ts";
import { network } from "./network.ts";
import { networkRules } from "./network-rules.ts";
import { paging } from "./paging.ts";
import { placement } from "./placement.ts";
import { purging } from "./purge.ts";
import { pythonSdk } from "./python-sdk.ts";
import { pythonSdkFiles } from "./python-sdk-files.ts";
import { reasons } from "./reasons.ts";
import { resources } from "./resources.ts";
import { retries } from "./retries.ts";
import { sandboxSpec } from "./sandbox-spec.ts";
import { secretsAndFiles } from "./secrets-and-files.ts";
import { securityContext } from "./security-context.ts";
import { services } from "./services.ts";
import { snapshotRestore } from "./snapshot-restore.ts";
import { snapshots } from "./snapshots.ts";
import { specLimits } from "./spec-limits.ts";
import { streamExec } from "./stream-exec.ts";
import { streamExecInput } from "./stream-exec-input.ts";
import { streamExecPressure } from "./stream-exec-pressure.ts";
import { streamLogs } from "./stream-logs.ts";
import { templates } from "./templates.ts";
import { terminals } from "./terminal.ts";
import { transport } from "./transport.ts";
import { volumes } from "./volumes.ts";

/** In the order of the reference. */
export const sentences: readonly Sentence[] = [
  ...sandboxSpec,
  ...containers,
  ...securityContext,
  ...volumes,
  ...lifecycle,
  ...creating,
  ...gettingAndListing,
  ...paging,
  ...deleting,
  ...deletingWithSnapshots,
  ...purging,
  ...exec,
  ...execEnd,
  ...streamExec,
  ...streamExecInput,
  ...streamExecPressure,
  ...terminals,
  ...streamLogs,
  ...logSessions,
  ...files,
  ...fileLimits,
  ...fileCommands,
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
  ...authentication,
  ...transport,
  ...errorCarrier,
  ...errorCodes,
  ...reasons,
  ...retries,
  ...specLimits,
  ...checklist,
  ...checklistCommands,
  ...checklistSnapshots,
  ...discoveryAndSettings,
  ...pythonSdk,
  ...pythonSdkFiles,
  ...jsSdk,
  ...jsSdkFiles,
];
