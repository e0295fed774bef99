import { accessSync, constants, existsSync } from "node:fs";
import { probeEngine } from "@tidybox/local";
import type { Finding } from "./report.ts";

const DOCKER_SOCKET = "/var/run/docker.sock";

/** What the local engines need of this machine. Must be asked before a service gives root up. */
export async function machineFindings(): Promise<readonly Finding[]> {
  return [await bubblewrap(), dash(), docker()];
}

async function bubblewrap(): Promise<Finding> {
  const name = "bubblewrap";
  const probe = await probeEngine("bubblewrap");
  if (probe.works) return { name, state: "ok", detail: "a sandbox was made, entered and stopped" };
  // The problem's last sentences are what to do.
  return { name, state: "weaker", detail: probe.problem };
}

function dash(): Finding {
  const name = "dash";
  if (process.platform !== "linux" || existsSync("/usr/bin/dash"))
    return { name, state: "ok", detail: "commands start in a shell that waits for them" };
  return {
    name,
    state: "weaker",
    detail: "/usr/bin/dash is missing: every command starts a process anew, which takes longer",
    remedy: "Install dash (apt-get install dash).",
  };
}

/** Only said: whether the engine works is for the service to prove. */
function docker(): Finding {
  const name = "docker";
  const host = process.env["DOCKER_HOST"];
  if (host !== undefined && host !== "")
    return {
      name,
      state: "ok",
      detail: `DOCKER_HOST is set (${host}); for the engine docker only`,
    };
  try {
    accessSync(DOCKER_SOCKET, constants.R_OK | constants.W_OK);
    return { name, state: "ok", detail: `${DOCKER_SOCKET} is there; for the engine docker only` };
  } catch {
    const why = existsSync(DOCKER_SOCKET) ? "is not yours to use" : "is not there";
    return { name, state: "ok", detail: `${DOCKER_SOCKET} ${why}; for the engine docker only` };
  }
}
