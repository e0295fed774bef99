/** Looks for a way into a service, as whoever runs this; says on stdout what it found. */
import { accessSync, constants, readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { findLocalServices } from "../index.ts";
import { connectTo, refusalOf } from "./test-service.ts";

export interface OtherAccountFindings {
  readonly uid: number | undefined;
  /** How many processes could be seen at all. */
  readonly processes: number;
  /** In how many places its own secret was found, by the same search. */
  readonly placesOfItsOwn: number;
  /** Of calls without a token, and with a wrong one. */
  readonly codes: readonly number[];
  /** Folders, files and sockets that could be opened. */
  readonly entered: readonly string[];
  readonly placesOfToken: readonly string[];
  readonly services: readonly unknown[];
}

interface Task {
  readonly baseUrl: string;
  readonly token: string;
  readonly places: readonly string[];
}

const PROC_FILES = ["cmdline", "environ", "comm", "maps", "status"] as const;

const { baseUrl, token, places } = JSON.parse(await text(process.stdin)) as Task;
const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
const readable = [
  ...pids.flatMap((pid) => PROC_FILES.map((name) => `/proc/${pid}/${name}`)),
  ...["/proc/net/unix", "/proc/net/tcp", "/proc/self/mountinfo"],
];
const codes: number[] = [];
for (const wrong of [undefined, `${token}x`]) {
  const { code } = await refusalOf(connectTo(baseUrl, wrong).listSandboxes({}));
  codes.push(code);
}
const entered: string[] = [];
for (const place of places) {
  if (opens(place) || (place.endsWith(".sock") && (await answers(place)))) entered.push(place);
}
const findings: OtherAccountFindings = {
  uid: process.getuid?.(),
  processes: pids.length,
  placesOfItsOwn: readable.filter((path) => holds(path, process.env["SECRET"] ?? "none")).length,
  codes,
  entered,
  placesOfToken: readable.filter((path) => holds(path, token)),
  services: await findLocalServices(),
};
process.stdout.write(JSON.stringify(findings));

function opens(place: string): boolean {
  try {
    accessSync(place, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/** Whether somebody takes a connection there. */
function answers(place: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(place);
    socket.once("connect", () => (socket.destroy(), resolve(true)));
    socket.once("error", () => resolve(false));
  });
}

function holds(path: string, secret: string): boolean {
  try {
    return readFileSync(path, "latin1").includes(secret);
  } catch {
    return false;
  }
}
