import { randomUUID } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import type { ConnectRouter } from "@connectrpc/connect";
import { SandboxService } from "@tidybox/protocol";
import * as v from "valibot";
import { DockerConnection } from "./engines/docker/docker-connection.ts";
import type { Engine, EngineName } from "./engines/engine.ts";
import { type EngineChoice, openEngine } from "./engines/open-engine.ts";
import { findHostTools } from "./engines/host-tools.ts";
import { LocalServiceError } from "./error.ts";
import {
  listenOnLoopback,
  loopbackAddress,
  type LoopbackListener,
} from "./listener/listen-on-loopback.ts";
import type { NoticeListener } from "./notice.ts";
import { become } from "./privileges/become.ts";
import { closeInheritedDescriptors } from "./spawner/inherited-descriptors.ts";
import { sandboxService } from "./service/sandbox-service.ts";
import { Sandboxes } from "./service/sandboxes.ts";
import { serveAccess } from "./state-folder/access-socket.ts";
import { removeLeftovers } from "./state-folder/leftovers.ts";
import { openWorkplace, type Workplace } from "./workplace.ts";

const DEFAULT_CLOSE_SECONDS = 20;
const ENGINES = [
  "auto",
  "bubblewrap",
  "process",
  "docker",
] as const satisfies readonly EngineChoice[];

export interface LocalServiceOptions {
  /** Loopback only; anything else is refused. Default `127.0.0.1`. */
  readonly host?: string;
  /** Default 0: any free one. */
  readonly port?: number;
  /** Clients send `authorization: Bearer <token>`. Default: 256 random bits. */
  readonly token?: string;
  /** Default `auto`: bubblewrap where it works, else process with a notice. A named one is never replaced. */
  readonly engine?: EngineChoice;
  /** Most sandboxes that are active at once; starting and stopping ones count. Default: no limit. */
  readonly maxSandboxes?: number;
  /**
   * Image name to the root directory it was unpacked to (bubblewrap), or to the name of an image in
   * Docker. Others run on the host's programs; with Docker, as what they are.
   */
  readonly images?: Readonly<Record<string, string>>;
  /** Stay root when started by root, so that a sandbox's root is this machine's. Default false. */
  readonly keepRoot?: boolean;
  /** Free text for `findLocalServices`, such as the run it belongs to. */
  readonly label?: string;
  readonly onNotice?: NoticeListener;
  /** Further Connect services on the same port, behind the same token. */
  readonly routes?: (router: ConnectRouter) => void;
}

export interface LocalService {
  /** `http://127.0.0.1:<port>`: plain HTTP/2. */
  readonly baseUrl: string;
  readonly token: string;
  readonly engine: EngineName;
  /**
   * Ends every sandbox and the helper process, removes the private folder, and closes the port.
   * Safe to call twice. `timeoutSeconds` (default 20) bounds the ending of sandboxes; what remains
   * then dies with the helper process.
   */
  close(options?: { readonly timeoutSeconds?: number }): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const OptionsSchema = v.object({
  port: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65_535))),
  token: v.optional(
    v.pipe(v.string(), v.regex(/^[\x21-\x7e]+$/, "must be printable ASCII without spaces")),
  ),
  engine: v.optional(v.picklist(ENGINES, `must be one of ${ENGINES.join(", ")}`)),
  maxSandboxes: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))),
  images: v.optional(v.record(v.string(), v.string())),
  label: v.optional(v.pipe(v.string(), v.maxLength(1000))),
});

/**
 * Starts the sandbox service of this machine.
 *
 * Call it in a process of its own: started by root, it gives root up for the whole process and for
 * good (see `keepRoot`); it sets the process's umask to 022, and closes the descriptors that the
 * process inherited (see `closeInheritedDescriptors`).
 *
 * Throws LocalServiceError: `local_option_invalid`, `local_address_refused`,
 * `local_engine_unavailable`, `local_engine_not_supported`, `local_root_not_given_up`,
 * `local_state_folder_failed`, `local_helper_failed`. Nothing is left behind then.
 */
export async function startLocalService(options: LocalServiceOptions = {}): Promise<LocalService> {
  checkOptions(options);
  closeInheritedDescriptors();
  const onNotice = options.onNotice ?? (() => {});
  const keepRoot = options.keepRoot ?? false;
  if (keepRoot && process.getuid?.() === 0) {
    const message =
      "the local service stays root (keepRoot): root of a sandbox is root of this machine on every file it can see.";
    onNotice({ code: "root_kept", message });
  }
  const tools = await findHostTools();
  const opening = openWorkplace({ keepRoot, tools, label: options.label, onNotice });
  // Both need whoever started this process. What is left of others is done when we go on.
  const [workplace] = await Promise.all([opening, removeLeftovers(onNotice)]);
  try {
    // Its client, and who may reach the socket, must be known before.
    const docker =
      options.engine === "docker"
        ? await DockerConnection.prepare(workplace.identity !== undefined)
        : undefined;
    if (workplace.identity !== undefined) become(workplace.identity, docker?.groups);
    process.umask(0o022);
    const engine = await openEngine({
      choice: options.engine ?? "auto",
      spawner: workplace.spawner,
      stateFolder: workplace.folder,
      images: options.images ?? {},
      tools: workplace.tools,
      onNotice,
      docker,
    });
    return await serve(options, workplace, engine, onNotice);
  } catch (error) {
    await workplace.close().catch(() => {});
    throw error;
  }
}

async function serve(
  options: LocalServiceOptions,
  workplace: Workplace,
  engine: Engine,
  onNotice: NoticeListener,
): Promise<LocalService> {
  const sandboxes = new Sandboxes({
    engine,
    runnerId: `local-${randomUUID()}`,
    maxSandboxes: options.maxSandboxes,
    lost: workplace.spawner.lost,
    snapshotFolder: join(workplace.folder, "snapshots"),
    mappedImages: new Set(Object.keys(options.images ?? {})),
    onNotice,
  });
  const listener = await listenOnLoopback({
    ...(options.host !== undefined && { host: options.host }),
    ...(options.port !== undefined && { port: options.port }),
    ...(options.token !== undefined && { token: options.token }),
    routes: (router) => {
      router.service(SandboxService, sandboxService(sandboxes));
      options.routes?.(router);
    },
  });
  const { baseUrl, token } = listener;
  const access = {
    baseUrl,
    token,
    pid: process.pid,
    ...(options.label !== undefined && { label: options.label }),
  };
  let door: { close(): void };
  try {
    door = await serveAccess(workplace.folder, access);
  } catch (error) {
    await listener.close();
    throw error;
  }
  let closing: Promise<void> | undefined;
  const close = (timeoutSeconds = DEFAULT_CLOSE_SECONDS): Promise<void> => {
    closing ??= closeAll({ sandboxes, engine, listener, door, workplace }, timeoutSeconds);
    return closing;
  };
  return {
    baseUrl,
    token,
    engine: engine.name,
    close: (closeOptions) => close(closeOptions?.timeoutSeconds),
    [Symbol.asyncDispose]: () => close(),
  };
}

interface Parts {
  readonly sandboxes: Sandboxes;
  readonly engine: Engine;
  readonly listener: LoopbackListener;
  readonly door: { close(): void };
  readonly workplace: Workplace;
}

/** Every step is taken whatever became of the one before; the first error is the one to know. */
async function closeAll(
  { sandboxes, engine, listener, door, workplace }: Parts,
  timeoutSeconds: number,
): Promise<void> {
  const errors: unknown[] = [];
  const attempt = (step: () => Promise<void> | void): Promise<void> =>
    Promise.resolve()
      .then(step)
      .catch((error: unknown) => void errors.push(error));
  await attempt(() => door.close());
  await attempt(() => sandboxes.close(timeoutSeconds));
  await attempt(() => listener.close());
  await attempt(() => engine.close());
  await attempt(() => workplace.close());
  if (errors.length > 0) throw errors[0];
}

function checkOptions(options: LocalServiceOptions): void {
  const parsed = v.safeParse(OptionsSchema, options);
  if (!parsed.success) {
    const [issue] = parsed.issues;
    const path = v.getDotPath(issue) ?? "options";
    throw new LocalServiceError(
      "local_option_invalid",
      `local service: option ${path} is wrong: ${issue.message}`,
    );
  }
  loopbackAddress(options.host);
  for (const [image, root] of Object.entries(options.images ?? {})) {
    if (options.engine === "docker") {
      if (root.trim() !== "" && !root.startsWith("/")) continue;
      throw new LocalServiceError(
        "local_option_invalid",
        `local service: option images[${JSON.stringify(image)}] must be the name of an image in Docker; ${JSON.stringify(root)} is not`,
      );
    }
    if (
      root.startsWith("/") &&
      existsSync(root) &&
      statSync(root).isDirectory() &&
      existsSync(`${root}/usr`)
    )
      continue;
    throw new LocalServiceError(
      "local_option_invalid",
      `local service: option images[${JSON.stringify(image)}] must be the absolute path of an unpacked image ` +
        `(a directory with usr/ in it); ${JSON.stringify(root)} is not`,
    );
  }
}
