import { rmSync } from "node:fs";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import {
  type Container,
  type CreateSandboxFromTemplateRequest,
  type CreateSandboxRequest,
  CreateSandboxRequestSchema,
  type DeleteSandboxRequest,
  ErrorReason,
  MAX_REQUEST_ID_BYTES,
  type PurgeSandboxesRequest,
  type Sandbox,
  SandboxSchema,
  type SandboxSpec,
  SandboxSpecSchema,
  State,
} from "@tidybox/protocol";
import type { Engine, EngineSandbox, SandboxPlan } from "../engines/engine.ts";
import { withDeadline } from "../deadline.ts";
import type { NoticeListener } from "../notice.ts";
import type { StartMain } from "./containers/container.ts";
import { groupOf, sideContainers } from "./containers/group-of.ts";
import { primaryContainer } from "./containers/primary-container.ts";
import { beyondCeiling } from "./containers/resources.ts";
import { CreateReplays } from "./create-replays.ts";
import {
  givenUp,
  failure,
  invalidArgument,
  noSuitableRunner,
  notImplemented,
  containerNotRunning,
  sandboxNotFound,
  sandboxNotRunning,
} from "./failures.ts";
import { isKeepAlive, KeepAlive } from "./keep-alive.ts";
import { stateName } from "./lifecycle.ts";
import { BoundedLogMemory } from "./logs/bounded-log-memory.ts";
import { hasAllTags } from "./list-sandboxes.ts";
import { MainProcess } from "./main-process.ts";
import { planContainer, planSandbox } from "./sandbox-plan.ts";
import { SandboxRecord } from "./sandbox-record.ts";
import type { RecordFolder } from "./resources/record-folder.ts";
import type { Resources } from "./resources/resources.ts";
import { asWhole, mergeTemplate } from "./resources/templates.ts";
import { restoresOf } from "./snapshots/scratch-volumes.ts";
import { snapshotsNotSupported } from "./snapshots/snapshot-calls.ts";
import { SnapshotOnDelete } from "./snapshots/snapshot-on-delete.ts";
import { Snapshots } from "./snapshots/snapshots.ts";
import { SandboxRegistry } from "./sandbox-registry.ts";
import { SpecNotices } from "./spec-notices.ts";
import { StartQueue } from "./start-queue.ts";
import { refusalOfPlacement } from "./refuse-placement.ts";
import { refusalOfUnsupported } from "./refuse-unsupported.ts";
import { validateSpec } from "./validate-spec.ts";

const DEFAULT_LIFETIME_SECONDS = 600;

/** "clamped to a platform maximum": the reference mentions this one. */
const MAX_GRACE_SECONDS = 300;

/** A stop without grace takes milliseconds: a caller that gets the end at once need not poll. */
const PROMPT_STOP_SECONDS = 0.25;

/**
 * A client that waits for a change of state looks again and again, each time a little later. The
 * answer to a look in between may come with the change: the client is not late, and looks less.
 */
const LOOK_SECONDS = 0.05;

const PURGE_SECONDS = 15;

/** Of what the caller of a purge allows; the rest is for the answer's way back. */
const SHARE_OF_DEADLINE = 0.8;

/** For calls that come while a sandbox is still starting. */
const START_WAIT_SECONDS = 60;

const CAPACITY_RETRY_SECONDS = 0.2;

export interface SandboxesOptions {
  readonly engine: Engine;
  readonly runnerId: string;
  /** Most active ones, as of now; undefined: no limit. */
  readonly maxSandboxes: () => number | undefined;
  /** Private, for snapshots; made when it is needed. */
  readonly snapshotFolder: string;
  /** Set where they outlive the service. */
  readonly snapshotRecords: RecordFolder | undefined;
  readonly resources: Resources;
  /** How long sandboxes take beyond what they take; undefined: no longer. */
  readonly delay: (what: "start" | "stop") => Promise<void> | undefined;
  /** Images that have a root directory of their own. */
  readonly mappedImages: ReadonlySet<string>;
  /** Resolves when nothing can be started any more, with the reason. */
  readonly lost: Promise<Error>;
  readonly onNotice: NoticeListener;
}

/** What became of the sandboxes that a purge matched: how many ended, and the ids of the others. */
export interface PurgeOutcome {
  readonly count: number;
  readonly failed: readonly string[];
  /** Those of them that another purge will find, and may stop. */
  readonly retryable: readonly string[];
}

interface TemplateOrigin {
  readonly asked: Sandbox;
  readonly template: { readonly id: string; readonly revision: number };
}

/** The sandboxes of a service: what creates, ends and finds them. */
export class Sandboxes {
  readonly registry: SandboxRegistry;
  readonly snapshots: Snapshots;
  readonly #snapshotOnDelete: SnapshotOnDelete;
  readonly #options: SandboxesOptions;
  readonly #replays = new CreateReplays();
  readonly #logMemory = new BoundedLogMemory();
  readonly #notices: SpecNotices;
  readonly #starts = new StartQueue();
  #unavailable: string | undefined;

  constructor(options: SandboxesOptions) {
    this.#options = options;
    this.snapshots = new Snapshots(options.snapshotFolder, options.snapshotRecords);
    this.#snapshotOnDelete = new SnapshotOnDelete(this.snapshots);
    this.#notices = new SpecNotices(options);
    this.registry = new SandboxRegistry((id) => this.#replays.forget(id));
    void options.lost.then((error) => (this.#unavailable ??= error.message));
  }

  /** Why nothing can be created any more; undefined while it can. */
  get unavailable(): string | undefined {
    return this.#unavailable;
  }

  get hasVolumes(): boolean {
    return this.#options.engine.hasVolumes;
  }

  get publishesPorts(): boolean {
    return this.#options.engine.publishesPorts === true;
  }

  /** Registers a sandbox and begins to start it. Synchronous, so that one token makes one sandbox. */
  create(request: CreateSandboxRequest, origin?: TemplateOrigin): SandboxRecord {
    const { sandbox, requestId } = request;
    const spec = sandbox?.spec;
    if (sandbox === undefined || spec === undefined)
      throw invalidArgument([{ field: "sandbox.spec", description: "must be set" }]);
    if (Buffer.byteLength(requestId) > MAX_REQUEST_ID_BYTES) {
      const description = `must have at most ${MAX_REQUEST_ID_BYTES} bytes`;
      throw invalidArgument([{ field: "request_id", description }]);
    }
    const first =
      requestId === "" ? undefined : this.#replays.find(requestId, origin?.asked ?? sandbox);
    if (first === "conflict") {
      const description =
        "was used for a sandbox with another spec; make a new one for each different create";
      throw invalidArgument([{ field: "request_id", description }]);
    }
    const replayed = first && this.registry.get(first.sandboxId);
    if (replayed !== undefined) return replayed;

    const { engine, resources, runnerId } = this.#options;
    const { servicesHaveEgress = false } = engine;
    const violations = validateSpec(spec);
    if (violations.length > 0) throw invalidArgument(violations);
    const refused =
      refusalOfUnsupported(spec, engine) ??
      refusalOfPlacement(spec, runnerId) ??
      beyondCeiling(spec);
    if (refused !== undefined) throw refused;
    resources.check(spec);
    const { id: freshId, sequence } = this.registry.next();
    const wanted = restoresOf(spec);
    if (wanted.length > 0 && !this.hasVolumes) throw snapshotsNotSupported();
    for (const { snapshotId } of wanted) this.snapshots.checkReady(snapshotId);
    this.#refuseServices(spec);
    this.#refuse(planSandbox(freshId, spec, [], servicesHaveEgress));
    const sides = sideContainers(spec);
    for (const each of sides) this.#refuse(planContainer(freshId, spec, each));
    if (sides.length > 0 && engine.startBeside === undefined) {
      const field = `sandbox.spec.${spec.initContainers.length > 0 ? "init_containers" : "containers"}`;
      const message = `the engine "${engine.name}" cannot have several or init containers: use the engine "bubblewrap" (${field})`;
      throw noSuitableRunner(message, [{ field, description: message }]);
    }
    const volumeFolders = resources.volumes.foldersOf(spec);
    if (volumeFolders.size > 0 && engine.mountsVolumeFolders !== true) {
      const message = `the engine "${engine.name}" cannot mount registered volumes (sandbox.spec.volumes)`;
      throw notImplemented(message, [{ field: "sandbox.spec.volumes", description: message }]);
    }
    this.#refuseBeyondCapacity();
    const restores = wanted.map(({ volume, snapshotId }) => ({
      volume,
      ...this.snapshots.lend(snapshotId),
    }));
    const resolved = resources.secrets.resolve(spec);
    const fresh = {
      ...planSandbox(freshId, resolved, restores, servicesHaveEgress),
      volumeFolders,
    };
    const plan = engine.reserve?.(fresh) ?? fresh;
    const { id } = plan;
    this.#notices.of(plan, spec);
    for (const each of sides) this.#notices.of(planContainer(id, spec, each), spec);
    this.#notices.ofVolumes(spec);
    this.#notices.ofNetwork(spec);
    const startMain = this.#starterOfMain(primaryContainer(spec), plan);
    const group =
      sides.length === 0
        ? undefined
        : groupOf({
            ...{ spec: resolved, id, restores, volumeFolders },
            ...{ engine: this.#options.engine, logMemory: this.#logMemory },
            starterOf: (container, containerPlan) => this.#starterOfMain(container, containerPlan),
            isWanted: () => record.state === State.CREATING,
          });
    const record: SandboxRecord = new SandboxRecord({
      id,
      sequence,
      runnerId: this.#options.runnerId,
      spec,
      plan,
      startMain: group === undefined ? startMain : (whole, log) => group.startMain(whole, log),
      group,
      logMemory: this.#logMemory,
      maxLifetimeSeconds: spec.maxLifetimeSeconds || DEFAULT_LIFETIME_SECONDS,
      sizeBytes: toBinary(SandboxSpecSchema, spec).length,
      template: origin?.template,
      stopDelay: () => this.#options.delay("stop"),
    });
    this.registry.add(record);
    void record.settled.then(() => {
      for (const { archive } of restores) rmSync(archive, { force: true });
    });
    if (requestId !== "") this.#replays.remember(requestId, origin?.asked ?? sandbox, id);
    // Before its turn comes, so that a slow start of one keeps no other from starting.
    const begin = (): void =>
      this.#starts.add(() => {
        const started = record.start(this.#options.engine);
        return group === undefined ? started : Promise.race([started, group.made]);
      });
    const delay = this.#options.delay("start");
    if (delay === undefined) {
      begin();
    } else {
      record.beginCreating();
      void delay.then(begin);
    }
    return record;
  }

  /** The same, from a template and what takes the place of parts of it. */
  createFromTemplate({
    templateId,
    overrides,
    requestId,
  }: CreateSandboxFromTemplateRequest): SandboxRecord {
    // The request as such: a replay answers the same whatever became of the template since.
    const asked = create(SandboxSchema, {
      sourceTemplateId: templateId,
      ...(overrides && { spec: asWhole(overrides) }),
    });
    const first = requestId === "" ? undefined : this.#replays.find(requestId, asked);
    const replayed =
      first === undefined || first === "conflict" ? undefined : this.registry.get(first.sandboxId);
    if (replayed !== undefined) return replayed;
    const template = this.#options.resources.templates.get(templateId);
    const spec = mergeTemplate(template.spec, overrides);
    return this.create(create(CreateSandboxRequestSchema, { sandbox: { spec }, requestId }), {
      asked,
      template,
    });
  }

  get(sandboxId: string): SandboxRecord {
    const record = this.registry.get(sandboxId);
    if (record === undefined) throw sandboxNotFound(sandboxId);
    return record;
  }

  /** For a client: a sandbox that is about to run, or to end, gets a moment to do so. */
  async look(sandboxId: string): Promise<SandboxRecord> {
    const record = this.get(sandboxId);
    await record.arrived(this.#options.engine.usualStartSeconds ?? LOOK_SECONDS);
    return record;
  }

  /** The running sandbox behind an id; waits for one that is still starting. */
  async running(sandboxId: string, container: string, signal: AbortSignal): Promise<EngineSandbox> {
    const record = this.get(sandboxId);
    this.checkContainer(record, container);
    // A deadline of 0 has passed before the call came.
    if (signal.aborted) throw givenUp(signal);
    if (record.isStarting) {
      const canceled = new Promise<never>((_, reject) => {
        signal.addEventListener("abort", () => reject(givenUp(signal)), { once: true });
      });
      await withDeadline(Promise.race([record.settled, canceled]), START_WAIT_SECONDS, () =>
        sandboxNotRunning(sandboxId, `still starting after ${START_WAIT_SECONDS} s`),
      );
    }
    const sandbox = record.runningContainer(container);
    if (sandbox !== undefined) return sandbox;
    if (record.running === undefined) throw sandboxNotRunning(sandboxId, stateName(record.state));
    throw containerNotRunning(sandboxId, container);
  }

  /** Empty is the primary container. */
  checkContainer({ id, spec }: SandboxRecord, container: string): void {
    const known = [...spec.containers, ...spec.initContainers].map(({ name }) => name);
    if (container === "" || known.includes(container)) return;
    const description = `names no container of sandbox ${id}: ${JSON.stringify(container)}; it has ${known.join(", ")}`;
    throw invalidArgument([{ field: "container", description }]);
  }

  /** Begins the stop and answers at once; only a stop that takes no time is waited for. */
  async delete(request: DeleteSandboxRequest): Promise<{
    readonly record: SandboxRecord | undefined;
    readonly snapshotIds: readonly string[];
  }> {
    const wantsSnapshots = request.snapshotVolumes.length > 0;
    const replayed = wantsSnapshots ? this.#snapshotOnDelete.replayed(request) : undefined;
    if (replayed !== undefined)
      return { record: this.registry.get(request.sandboxId), snapshotIds: replayed };

    if (request.gracePeriodSeconds < 0) {
      throw invalidArgument([
        { field: "grace_period_seconds", description: "must not be negative" },
      ]);
    }
    const record = this.registry.get(request.sandboxId);
    if (record === undefined) {
      if (request.allowMissing) return { record, snapshotIds: [] };
      throw sandboxNotFound(request.sandboxId);
    }
    const snapshots = wantsSnapshots
      ? this.#snapshotOnDelete.begin(record, request, this.hasVolumes)
      : [];
    const graceSeconds = Math.min(request.gracePeriodSeconds, MAX_GRACE_SECONDS);
    const take = async (sandbox: EngineSandbox | undefined): Promise<void> => {
      for (const snapshot of snapshots) await this.snapshots.take(snapshot, sandbox);
    };
    const reason =
      graceSeconds > 0 ? `it was deleted, with ${graceSeconds} s of grace` : "it was deleted";
    record.terminate(graceSeconds, reason, wantsSnapshots ? take : undefined);
    await record.ended(PROMPT_STOP_SECONDS);
    return { record, snapshotIds: snapshots.map(({ id }) => id) };
  }

  /**
   * Stops all active sandboxes of a scope, side by side. Answers before the caller's deadline, so
   * that it learns which are still stopping then.
   */
  async purge(
    request: PurgeSandboxesRequest,
    leftMilliseconds = Number.POSITIVE_INFINITY,
  ): Promise<PurgeOutcome> {
    if (request.requestId !== "")
      throw notImplemented("request_id of a purge is reserved: leave it empty");
    if (request.purgeAll === request.tags.length > 0) {
      const description = "exactly one scope: either tags, or purge_all";
      throw invalidArgument([{ field: request.purgeAll ? "tags" : "purge_all", description }]);
    }
    const matching = this.registry.active().filter((record) => hasAllTags(record, request.tags));
    if (request.dryRun) return { count: matching.length, failed: [], retryable: [] };
    for (const record of matching) record.terminate(0, "it was purged");
    const seconds = Math.min(PURGE_SECONDS, (leftMilliseconds / 1000) * SHARE_OF_DEADLINE);
    await Promise.all(matching.map((record) => record.ended(seconds)));
    const stopping = matching.filter((record) => record.isActive);
    // It has ended as FAILED, and another purge will not see it.
    const notStopped = matching.filter((record) => record.couldNotBeStopped);
    const failed = [...stopping, ...notStopped].map(({ id }) => id);
    return {
      count: matching.length - failed.length,
      failed,
      retryable: stopping.map(({ id }) => id),
    };
  }

  /** Ends every sandbox and takes no new ones; waits at most so long. */
  async close(timeoutSeconds: number): Promise<void> {
    this.#unavailable = "the local service is closing";
    this.snapshots.close();
    const active = this.registry.active();
    for (const record of active) record.terminate(0, "the local service was closed");
    await Promise.all(active.map((record) => record.ended(timeoutSeconds)));
  }

  #starterOfMain(container: Container, { image, environment }: SandboxPlan): StartMain {
    if (container.command === "") return undefined;
    const argv = [container.command, ...container.args];
    // An image of its own may have no shell, or no `sleep`: then the keep-alive must fail.
    const { engine, mappedImages } = this.#options;
    const hasOwnPrograms = engine.name === "docker" || mappedImages.has(image);
    const standsIn = isKeepAlive(argv, environment) && !hasOwnPrograms;
    return standsIn
      ? () => Promise.resolve(new KeepAlive())
      : (sandbox, log) => MainProcess.start(sandbox, argv, log);
  }

  #refuseServices({ services }: SandboxSpec): void {
    const { engine } = this.#options;
    if (services.length === 0 || this.publishesPorts) return;
    const message =
      `the engine "${engine.name}" cannot give a sandbox a network of its own with services. ` +
      'Use the engine "bubblewrap" (Linux: `apt-get install bubblewrap`), or leave services out (sandbox.spec.services).';
    throw noSuitableRunner(message, [{ field: "sandbox.spec.services", description: message }]);
  }

  #refuse(plan: SandboxPlan): void {
    const { engine } = this.#options;
    if (plan.readOnlyRoot === true && engine.enforces?.includes("read_only_root") !== true) {
      const field = "sandbox.spec.containers[0].security_context.read_only_root_filesystem";
      const message = `the engine "${engine.name}" has no read-only root file systems (${field})`;
      throw notImplemented(message, [{ field, description: message }]);
    }
    const refusal = this.#options.engine.refusal(plan);
    if (refusal === undefined) return;
    const message = `${refusal.message} (${refusal.field})`;
    const violations = [{ field: refusal.field, description: refusal.message }];
    if (refusal.kind === "not_implemented") throw notImplemented(message, violations);
    throw noSuitableRunner(message, violations);
  }

  #refuseBeyondCapacity(): void {
    if (this.#unavailable !== undefined) {
      throw failure(Code.Unavailable, ErrorReason.BACKEND_UNAVAILABLE, this.#unavailable);
    }
    const maxSandboxes = this.#options.maxSandboxes();
    const active = this.registry.activeCount;
    if (maxSandboxes === undefined || active < maxSandboxes) return;
    throw failure(
      Code.ResourceExhausted,
      ErrorReason.RUNNER_CAPACITY_EXHAUSTED,
      `${active} sandboxes are active already (starting and stopping ones count); this local service allows ${maxSandboxes}`,
      { retryAfterSeconds: CAPACITY_RETRY_SECONDS },
    );
  }
}
