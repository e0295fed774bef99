import type { Sentence } from "../contract.ts";
import { checklistCommands } from "./checklist-commands.ts";
import { exec } from "./exec.ts";
import { execEnd } from "./exec-end.ts";
import { fileCommands } from "./file-commands.ts";
import { fileLimits } from "./file-limits.ts";
import { files } from "./files.ts";
import { jsSdk } from "./js-sdk.ts";
import { jsSdkFiles } from "./js-sdk-files.ts";
import { lifecycle } from "./lifecycle.ts";
import { logSessions } from "./log-sessions.ts";
import { pythonSdk } from "./python-sdk.ts";
import { pythonSdkFiles } from "./python-sdk-files.ts";
import { streamExec } from "./stream-exec.ts";
import { streamExecInput } from "./stream-exec-input.ts";
import { streamExecPressure } from "./stream-exec-pressure.ts";
import { streamLogs } from "./stream-logs.ts";
import { terminals } from "./terminal.ts";

/** In the order of the reference. */
export const sentences: readonly Sentence[] = [
  ...lifecycle,
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
  ...checklistCommands,
  ...pythonSdk,
  ...pythonSdkFiles,
  ...jsSdk,
  ...jsSdkFiles,
];
