import { networkInterfaces } from "node:os";
import { runCommand } from "./command.ts";

const PREFIX = "tidybox";
const NETWORK = "10.213";

export interface TestBridge {
  readonly name: string;
  /** Of this machine, on the bridge. */
  readonly address: string;
}

/**
 * Makes a bridge for the containers of a test's own Docker daemon, named after this process. Nothing
 * is routed from it. Undefined, with a line that says why, where that is not allowed.
 */
export async function makeTestBridge(): Promise<TestBridge | undefined> {
  const present = networkInterfaces();
  for (const name of Object.keys(present)) {
    // Of test runs that were killed.
    if (name.startsWith(PREFIX) && isGone(Number(name.slice(PREFIX.length))))
      await removeTestBridge(name);
  }
  const taken = Object.values(present).flatMap((each) => each?.map(({ address }) => address) ?? []);
  const address = Array.from({ length: 254 }, (_, index) => ((process.pid + index) % 254) + 1)
    .map((octet) => `${NETWORK}.${octet}.1`)
    .find((each) => !taken.includes(each));
  if (address === undefined) return undefined;
  const name = `${PREFIX}${process.pid}`;
  const steps = [
    ["link", "add", name, "type", "bridge"],
    ["address", "add", `${address}/24`, "dev", name],
    ["link", "set", name, "up"],
  ];
  for (const step of steps) {
    const result = await runCommand("ip", step, { timeoutSeconds: 10 });
    if (result.ok) continue;
    console.log(
      `docker  no bridge for the containers of tests: ip ${step.join(" ")}: ${result.problem}; tests of their network are skipped`,
    );
    await removeTestBridge(name);
    return undefined;
  }
  return { name, address };
}

export async function removeTestBridge(name: string | undefined): Promise<void> {
  if (name === undefined) return;
  await runCommand("ip", ["link", "delete", name], { timeoutSeconds: 10 });
}

function isGone(pid: number): boolean {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}
