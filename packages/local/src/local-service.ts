import { randomUUID } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import type { ConnectRouter } from "@connectrpc/connect";
import {
  DiscoveryService,
  LOCAL_RUNNER_PREFIX,
  SandboxService,
  SettingsService,
  State,
} from "@tidybox/protocol";
import * as v from "valibot";
import { DockerConnection } from "./engines/docker/docker-connection.ts";
import type { Engine, EngineName } from "./engines/engine.ts";
import { type EngineChoice, openEngine, type OpenEngine } from "./engines/open-engine.ts";
import { keepHeapSmall } from "./small-heap.ts";
import { LocalServiceError } from "./error.ts";
import { faultInterceptor } from "./faults/fault-interceptor.ts";
import type { FaultOptions } from "./faults/fault-options.ts";
import { Faults } from "./faults/faults.ts";
import { RehearsalService } from "./gen/tidybox/local/v1/rehearsal_pb.ts";
import type { InMemoryConnection } from "./listener/in-memory-connections.ts";
import {
  listenOnLoopback,
  loopbackAddress,
  type LoopbackListener,
} from "./listener/listen-on-loopback.ts";
import type { NoticeListener } from "./notice.ts";
import { rehearsalService } from "./rehearsal/rehearsal-service.ts";
import { RunningRehearsal } from "./rehearsal/running-rehearsal.ts";
import { become } from "./privileges/become.ts";
import { discoveryService } from "./service/resources/discovery.ts";
import { RecordFolder } from "./service/resources/record-folder.ts";
import type { VolumeOptions } from "./service/resources/registered-volumes.ts";
import { Resources } from "./service/resources/resources.ts";
import { SecretStores } from "./service/resources/secret-stores.ts";
import { settingsService } from "./service/resources/settings.ts";
import { undescribedServices } from "./service/resources/undescribed-services.ts";
import { sandboxService } from "./service/sandbox-service.ts";
import { Sandboxes } from "./service/sandboxes.ts";
import { DataFolder } from "./state-folder/data-folder.ts";
import { serveAccess } from "./state-folder/access-socket.ts";
import { type PreparedLocalService, prepareLocalService } from "./prepare-local-service.ts";
import type { Workplace } from "./workplace.ts";

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
  /**
   * Clients send `authorization: Bearer <token>`, or as those of Weights & Biases do
   * `x-wandb-api-key: <token>`. Default: 256 random bits.
   */
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
  /**
   * Private folder (0700, made when it is not there) for what outlives the service: templates,
   * snapshots and the volumes that have no folder of their own. One service at a time. Default: nothing does.
   */
  readonly dataFolder?: string;
  /** By id: sandbox specs, in the JSON form of `PartialSandboxSpec`. Each change is a new revision. */
  readonly templates?: Readonly<Record<string, unknown>>;
  /** By id: volumes that sandboxes mount live, several at once. */
  readonly volumes?: Readonly<Record<string, VolumeOptions>>;
  /**
   * Private JSON file (0600) of secret stores: `{"store": {"secret": "value"}}`, or fields in place
   * of the value. Read once, at the start.
   */
  readonly secretsFile?: string;
  /** What goes wrong on purpose, for rehearsals. Default: nothing. */
  readonly faults?: FaultOptions;
  /** Stay root when started by root, so that a sandbox's root is this machine's. Default false. */
  readonly keepRoot?: boolean;
  /** Free text for `findLocalServices`, such as the run it belongs to. */
  readonly label?: string;
  readonly onNotice?: NoticeListener;
  /** Further Connect services on the same port, behind the same token. */
  readonly routes?: (router: ConnectRouter) => void;
  /**
   * From `prepareLocalService` (`@tidybox/local/prepare`), with the same `keepRoot` and `label`. Not
   * together with `dataFolder`, whose owner the service becomes.
   */
  readonly prepared?: PreparedLocalService;
}

export interface LocalService {
  /** `http://127.0.0.1:<port>`: plain HTTP/2. */
  readonly baseUrl: string;
  readonly token: string;
  readonly engine: EngineName;
  /** Whether a sandbox of that id runs now: what a call would tell, without one. */
  isRunning(sandboxId: string): boolean;
  /**
   * The same calls for this process, without a socket: they need no token, and meet the same faults.
   * It ends with the service.
   */
  connectInMemory(): InMemoryConnection;
  /** From now on these faults and no others. Throws LocalServiceError (`local_option_invalid`). */
  injectFaults(options: FaultOptions): void;
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
  dataFolder: v.optional(v.pipe(v.string(), v.nonEmpty())),
  templates: v.optional(v.record(v.string(), v.unknown())),
  volumes: v.optional(
    v.record(
      v.string(),
      v.strictObject({ folder: v.optional(v.string()), readOnly: v.optional(v.boolean()) }),
    ),
  ),
  secretsFile: v.optional(v.pipe(v.string(), v.nonEmpty())),
  faults: v.optional(
    v.strictObject({
      latency: v.optional(v.record(v.string(), v.string())),
      fail: v.optional(v.record(v.string(), v.string())),
      dropAnswer: v.optional(v.record(v.string(), v.string())),
      createRate: v.optional(v.string()),
      quota: v.optional(v.number()),
      seed: v.optional(v.number()),
    }),
  ),
});

/**
 * Starts the sandbox service of this machine.
 *
 * Call it in a process of its own: started by root, it gives root up for the whole process and for
 * good (see `keepRoot`); it sets the process's umask to 022, and keeps its heap small (see
 * `keepHeapSmall`). No process of a sandbox gets a descriptor that this process has inherited; a
 * program that outlives its starter had better close them at once
 * (`@tidybox/local/inherited-descriptors`).
 *
 * Throws LocalServiceError: `local_option_invalid`, `local_address_refused`,
 * `local_engine_unavailable`, `local_engine_not_supported`, `local_root_not_given_up`,
 * `local_state_folder_failed`, `local_helper_failed`. Nothing is left behind then.
 */
export async function startLocalService(options: LocalServiceOptions = {}): Promise<LocalService> {
  return startLocalServiceOver(openEngine, options);
}

/** The same over an engine that somebody else opens: what is measured or tested then is the service. */
export async function startLocalServiceOver(
  open: OpenEngine,
  options: LocalServiceOptions = {},
): Promise<LocalService> {
  try {
    return await start(options, open);
  } catch (error) {
    await options.prepared?.close().catch(() => {});
    throw error;
  }
}

async function start(options: LocalServiceOptions, open: OpenEngine): Promise<LocalService> {
  checkOptions(options);
  keepHeapSmall();
  const onNotice = options.onNotice ?? (() => {});
  const keepRoot = options.keepRoot ?? false;
  if (keepRoot && process.getuid?.() === 0) {
    const message =
      "the local service stays root (keepRoot): root of a sandbox is root of this machine on every file it can see.";
    onNotice({ code: "root_kept", message });
  }
  const faults = new Faults(options.faults ?? {});
  // Both as whoever started this process, who may be the only one to get there.
  const secrets =
    options.secretsFile === undefined ? new SecretStores() : SecretStores.read(options.secretsFile);
  const data = options.dataFolder === undefined ? undefined : DataFolder.open(options.dataFolder);
  const identity = process.getuid?.() === 0 ? data?.identity : undefined;
  const prepared =
    options.prepared ??
    prepareLocalService({ keepRoot, label: options.label, engine: options.engine, identity });
  const workplace = await prepared.workplace(onNotice);
  try {
    // Its client, and who may reach the socket, must be known before.
    const docker =
      options.engine === "docker"
        ? await DockerConnection.prepare(workplace.identity !== undefined)
        : undefined;
    if (workplace.identity !== undefined) {
      data?.giveTo(workplace.identity);
      become(workplace.identity, docker?.groups);
    }
    process.umask(0o022);
    await data?.take();
    const resources = new Resources({
      dataFolder: data?.path,
      stateFolder: workplace.folder,
      templates: options.templates ?? {},
      volumes: options.volumes ?? {},
      secrets,
      onNotice,
    });
    const engine = await open({
      choice: options.engine ?? "auto",
      spawner: workplace.spawner,
      stateFolder: workplace.folder,
      images: options.images ?? {},
      tools: workplace.tools,
      hostPrograms: prepared.hostPrograms,
      onNotice,
      docker,
    });
    const things = { faults, resources, data };
    return await serve(options, workplace, engine, onNotice, things);
  } catch (error) {
    data?.close();
    await workplace.close().catch(() => {});
    throw error;
  }
}

async function serve(
  options: LocalServiceOptions,
  workplace: Workplace,
  engine: Engine,
  onNotice: NoticeListener,
  { faults, resources, data }: Things,
): Promise<LocalService> {
  const runnerId = `${LOCAL_RUNNER_PREFIX}${randomUUID()}`;
  const snapshotFolder = join(data?.path ?? workplace.folder, "snapshots");
  const rehearsal = new RunningRehearsal(faults, options.maxSandboxes, onNotice);
  const sandboxes = new Sandboxes({
    engine,
    runnerId,
    resources,
    delay: (what) => faults.delay(what),
    maxSandboxes: () => rehearsal.maxSandboxes,
    lost: workplace.spawner.lost,
    snapshotFolder,
    snapshotRecords: data && new RecordFolder(snapshotFolder, onNotice),
    mappedImages: new Set(Object.keys(options.images ?? {})),
    onNotice,
  });
  const listener = await listenOnLoopback({
    ...(options.host !== undefined && { host: options.host }),
    ...(options.port !== undefined && { port: options.port }),
    ...(options.token !== undefined && { token: options.token }),
    routes: (router) => {
      const interceptors = [faultInterceptor(faults)];
      router.service(SandboxService, sandboxService(sandboxes), { interceptors });
      router.service(DiscoveryService, discoveryService(runnerId, sandboxes), { interceptors });
      router.service(SettingsService, settingsService(), { interceptors });
      undescribedServices(router, { interceptors });
      // Without the faults: they could not be taken back else.
      const active = (): number => sandboxes.registry.activeCount;
      router.service(RehearsalService, rehearsalService(rehearsal, active));
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
  rehearsal.tell();
  let closing: Promise<void> | undefined;
  const close = (timeoutSeconds = DEFAULT_CLOSE_SECONDS): Promise<void> => {
    closing ??= closeAll(
      { sandboxes, engine, listener, door, workplace, faults, data },
      timeoutSeconds,
    );
    return closing;
  };
  return {
    baseUrl,
    token,
    engine: engine.name,
    isRunning: (id) => sandboxes.registry.get(id)?.state === State.RUNNING,
    connectInMemory: () => listener.connectInMemory(),
    injectFaults: (asked) => rehearsal.change(asked),
    close: (closeOptions) => close(closeOptions?.timeoutSeconds),
    [Symbol.asyncDispose]: () => close(),
  };
}

/** What is neither the machine's nor the engine's. */
interface Things {
  readonly faults: Faults;
  readonly resources: Resources;
  readonly data: DataFolder | undefined;
}

interface Parts {
  readonly sandboxes: Sandboxes;
  readonly engine: Engine;
  readonly listener: LoopbackListener;
  readonly door: { close(): void };
  readonly workplace: Workplace;
  readonly faults: Faults;
  readonly data: DataFolder | undefined;
}

/** Every step is taken whatever became of the one before; the first error is the one to know. */
async function closeAll(
  { sandboxes, engine, listener, door, workplace, faults, data }: Parts,
  timeoutSeconds: number,
): Promise<void> {
  const errors: unknown[] = [];
  const attempt = (step: () => Promise<void> | void): Promise<void> =>
    Promise.resolve()
      .then(step)
      .catch((error: unknown) => void errors.push(error));
  await attempt(() => door.close());
  faults.close();
  await attempt(() => sandboxes.close(timeoutSeconds));
  await attempt(() => listener.close());
  await attempt(() => engine.close());
  await attempt(() => workplace.close());
  await attempt(() => data?.close());
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
  if (options.prepared !== undefined && options.dataFolder !== undefined) {
    throw new LocalServiceError(
      "local_option_invalid",
      "local service: the options prepared and dataFolder exclude each other: leave prepared out",
    );
  }
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
