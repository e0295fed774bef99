import Docker from "dockerode";
import { descendantsOf, procFile } from "./process-tree.ts";
import type { TestService } from "./test-service.ts";

export interface HostProcess {
  /** On this machine. */
  readonly pid: number;
  /** Its words, each with a space behind it. */
  readonly command: string;
}

/** What runs in a sandbox, as this machine sees it; with other engines than docker, in all of the service's. */
export async function sandboxProcesses(
  { engine, process: { pid = 0 } }: TestService,
  sandboxId: string,
): Promise<readonly HostProcess[]> {
  const pids = engine === "docker" ? await pidsInDocker(sandboxId) : descendantsOf(pid);
  return pids.map((each) => ({
    pid: each,
    command: procFile(each, "cmdline").replaceAll("\0", " "),
  }));
}

async function pidsInDocker(sandboxId: string): Promise<readonly number[]> {
  const { Titles: titles, Processes: processes } = (await new Docker()
    .getContainer(`tidybox-${sandboxId}`)
    .top()) as { readonly Titles: readonly string[]; readonly Processes: readonly string[][] };
  const column = titles.indexOf("PID");
  return processes.map((words) => Number(words[column]));
}
