import { finishCleanup } from "./finish.ts";

void finishCleanup(process.stdin);
