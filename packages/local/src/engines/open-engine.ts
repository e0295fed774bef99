import { existsSync } from "node:fs";
import { join } from "node:path";
import { LocalServiceError } from "../error.ts";
import type { NoticeListener } from "../notice.ts";
import type { Spawner } from "../spawner/spawner.ts";
import { sandboxesFolder, serviceMarker } from "../state-folder/state-folder.ts";
import { BubblewrapEngine } from "./bubblewrap/bubblewrap-engine.ts";
import { CurrentEtc } from "./bubblewrap/current-etc.ts";
import type { HostPrograms } from "./bubblewrap/host-programs.ts";
import { hostImageRoot, mappedImageRoot, type ToolBind } from "./bubblewrap/image-root.ts";
import { bubblewrapRemedy, INSTALL_REMEDY } from "./bubblewrap/remedies.ts";
import { DockerConnection } from "./docker/docker-connection.ts";
import { openDocker } from "./docker/open-docker.ts";
import type { Engine } from "./engine.ts";
import { findProgram } from "./find-program.ts";
import { probe } from "./probe.ts";
import { ProcessEngine } from "./process/process-engine.ts";

export type EngineChoice = "auto" | "bubblewrap" | "process" | "docker";

export interface OpenEngineOptions {
  readonly choice: EngineChoice;
  readonly spawner: Spawner;
  readonly stateFolder: string;
  /** Image name to the directory that it was unpacked to; for Docker, to the name that it has for it. */
  readonly images: Readonly<Record<string, string>>;
  readonly tools: readonly ToolBind[];
  /** Looked at already, mostly. */
  readonly hostPrograms: () => Promise<HostPrograms>;
  readonly onNotice: NoticeListener;
  /** Prepared before the service gave root up. */
  readonly docker?: DockerConnection | undefined;
}

export type OpenEngine = (options: OpenEngineOptions) => Promise<Engine>;

/** Why an engine cannot be used here, and what would help. */
export interface EngineProblem {
  readonly reason: string;
  readonly remedy: string;
}

/**
 * The engine that was asked for, proved by making a sandbox with it. A named engine is never
 * replaced by another: throws LocalServiceError with what the proof said.
 */
export async function openEngine(options: OpenEngineOptions): Promise<Engine> {
  const { choice, onNotice } = options;
  switch (choice) {
    case "process":
      return openProcess(options);
    case "docker":
      return openDocker({
        ...options,
        docker: options.docker ?? (await DockerConnection.prepare(false)),
      });
    case "bubblewrap": {
      const opened = await tryBubblewrap(options);
      if (!("reason" in opened)) return opened;
      throw new LocalServiceError(
        "local_engine_unavailable",
        `the engine "bubblewrap" does not work on this machine: ${opened.reason}. ${opened.remedy}`,
      );
    }
    case "auto": {
      const opened = await tryBubblewrap(options);
      if (!("reason" in opened)) return opened;
      onNotice({
        code: "engine_weaker",
        message:
          'sandboxes run as plain processes here (engine "process"): they see this machine\'s files, network and processes. ' +
          `The engine "bubblewrap" would isolate them, but it does not work: ${opened.reason}. ${opened.remedy}`,
      });
      return openProcess(options);
    }
  }
}

async function tryBubblewrap(options: OpenEngineOptions): Promise<Engine | EngineProblem> {
  if (process.platform !== "linux") {
    return {
      reason: "it exists on Linux only",
      remedy: "Run the tests on Linux or in a Linux container.",
    };
  }
  const bwrap = findProgram("bwrap");
  const nsenter = findProgram("nsenter");
  if (bwrap === undefined || nsenter === undefined || findProgram("setpriv") === undefined) {
    const missing = bwrap === undefined ? "bwrap" : nsenter === undefined ? "nsenter" : "setpriv";
    return { reason: `\`${missing}\` is not installed`, remedy: INSTALL_REMEDY };
  }
  const etc = new CurrentEtc(options.stateFolder);
  const { firstProcess, loader } = await options.hostPrograms();
  const host = hostImageRoot(etc, options.tools, loader);
  const mapped = new Map(
    Object.entries(options.images).map(([image, root]) => [
      image,
      mappedImageRoot(root, etc.current, loader),
    ]),
  );
  const engine = new BubblewrapEngine({
    spawner: options.spawner,
    programs: { bwrap, nsenter, hasDash: existsSync("/usr/bin/dash") },
    firstProcess,
    serviceMarker: serviceMarker(options.stateFolder),
    folder: sandboxesFolder(options.stateFolder),
    treesFolder: join(options.stateFolder, "snapshot-trees"),
    rootOf: (image) => mapped.get(image) ?? host,
    etc,
  });
  const reason = await probe(engine);
  if (reason === undefined) return engine;
  await engine.close();
  return { reason, remedy: bubblewrapRemedy(reason) };
}

async function openProcess(options: OpenEngineOptions): Promise<Engine> {
  const engine = new ProcessEngine({
    spawner: options.spawner,
    folder: join(options.stateFolder, "processes"),
    serviceMarker: serviceMarker(options.stateFolder),
  });
  const reason = await probe(engine);
  if (reason === undefined) return engine;
  throw new LocalServiceError(
    "local_engine_unavailable",
    `the engine "process" does not work on this machine: ${reason}`,
  );
}
