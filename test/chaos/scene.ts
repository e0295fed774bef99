import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Project } from "../support/bed.ts";
import type { Launched } from "../support/launch.ts";
import { processesWith, tidybox, until } from "../support/observer.ts";
import { type Served, startServe } from "../support/serve.ts";
import type { Cell } from "./cells.ts";
import type { Chance } from "./chance.ts";
import type { Gate } from "./gate.ts";
import type { Observed } from "./remains.ts";
import type { Scene } from "./strikes/strike.ts";
import { NOTES_FILE, type Note } from "./suite/plan.ts";

const NOTED_SECONDS = 60;

/** Where a strike takes place. */
export interface Stage {
  readonly observed: Observed;
  readonly chance: Chance;
  readonly service: Served;
  readonly gate: Gate | undefined;
}

/** What a strike may do and see there. */
export function sceneOf(
  cell: Cell,
  { observed, chance, service, gate }: Stage,
  run: Launched,
): Scene {
  const { project, mark } = observed;
  const notes = () => notesOf(project);
  const noted: Scene["noted"] = async (what, wanted) => {
    const { answer } = await until(
      what,
      NOTED_SECONDS,
      () => ({ notes: notes(), isOver: !run.isRunning() }),
      (now) => wanted(now.notes) || now.isOver,
    );
    if (!wanted(answer.notes)) throw new Error(`the run ended before ${what}:\n${run.output()}`);
    return answer.notes;
  };
  return {
    where: { ...cell.setup, backend: cell.backend },
    chance,
    run,
    gate,
    notes,
    noted,
    coordinatorPid: async () => {
      const { answer } = await until(
        "the coordinator",
        10,
        () => processesWith(mark).find(({ command }) => command.includes("tidybox-coordinator")),
        (found) => found !== undefined,
      );
      if (answer === undefined) throw new Error("there is no coordinator");
      return answer.pid;
    },
    pids: () => processesWith(mark).map(({ pid }) => pid),
    tidybox: async (args) => {
      // By the address that the run had.
      const address = gate === undefined ? {} : { CWSANDBOX_BASE_URL: gate.baseUrl };
      await tidybox(project.bed, args, {
        ...service.env,
        ...address,
        TMPDIR: project.temp,
        XDG_STATE_HOME: join(project.temp, "state"),
      });
    },
    nextService: async () => {
      const next = await startServe(project.bed, [], { TMPDIR: project.temp });
      await next[Symbol.asyncDispose]();
    },
  };
}

/** A line that is being written is not one yet. */
export function notesOf({ directory }: Project): readonly Note[] {
  let text: string;
  try {
    text = readFileSync(join(directory, NOTES_FILE), "utf8");
  } catch {
    return [];
  }
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Note);
}
