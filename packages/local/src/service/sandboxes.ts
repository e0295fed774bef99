import { rmSync } from "node:fs";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import {
  type CreateSandboxFromTemplateRequest,
  type CreateSandboxRequest,
  CreateSandboxRequestSchema,
  ErrorReason,
  MAX_REQUEST_ID_BYTES,
  type Sandbox,
  SandboxSchema,
  SandboxSpecSchema,
  State,
} from "@tidybox/protocol";
import type { Engine, EngineSandbox } from "../engines/engine.ts";
import { withDeadline } from "../deadline.ts";
import type { NoticeListener } from "../notice.ts";
import { groupOf, sideContainers } from "./containers/group-of.ts";
import { primaryContainer } from "./containers/primary-container.ts";
import { beyondCeiling } from "./containers/resources.ts";
import { CreateReplays } from "./create-replays.ts";
import { Deletions } from "./deletions.ts";
import {
  givenUp,
  failure,
  invalidArgument,
  containerNotRunning,
  sandboxNotFound,
  sandboxNotRunning,
} from "./failures.ts";
import { stateName } from "./lifecycle.ts";
import { BoundedLogMemory } from "./logs/bounded-log-memory.ts";
import { starterOfMain } from "./main-starter.ts";
import { planContainer, planSandbox } from "./sandbox-plan.ts";
import { SandboxRecord } from "./sandbox-record.ts";
import type { RecordFolder } from "./resources/record-folder.ts";
import type { Resources } from "./resources/resources.ts";
import { asWhole, mergeTemplate } from "./resources/templates.ts";
import { restoresOf } from "./snapshots/scratch-volumes.ts";
import { snapshotsNotSupported } from "./snapshots/snapshot-calls.ts";
import { Snapshots } from "./snapshots/snapshots.ts";
import { SandboxRegistry } from "./sandbox-registry.ts";
import { SpecNotices } from "./spec-notices.ts";
import { StartQueue } from "./start-queue.ts";
import { refusalOfEngine } from "./refuse-engine.ts";
import { refusalOfPlacement } from "./refuse-placement.ts";
import { refusalOfUnsupported } from "./refuse-unsupported.ts";
import { validateSpec } from "./validate-spec.ts";

const DEFAULT_LIFETIME_SECONDS = 600;

/**
 * A client that waits for a change of state looks again and again, each time a little later. The
 * answer to a look in between may come with the change: the client is not late, and looks less.
 */
const LOOK_SECONDS = 0.05;

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

interface TemplateOrigin {
  readonly asked: Sandbox;
  readonly template: { readonly id: string; readonly revision: number };
}

/** The sandboxes of a service: what creates and finds them, and ends all of them. */
export class Sandboxes {
  readonly registry: SandboxRegistry;
  readonly snapshots: Snapshots;
  readonly deletions: Deletions;
  readonly #options: SandboxesOptions;
  readonly #replays = new CreateReplays();
  readonly #logMemory = new BoundedLogMemory();
  readonly #notices: SpecNotices;
  readonly #starts = new StartQueue();
  #unavailable: string | undefined;

  constructor(options: SandboxesOptions) {
    this.#options = options;
    this.snapshots = new Snapshots(options.snapshotFolder, options.snapshotRecords);
    this.#notices = new SpecNotices(options);
    this.registry = new SandboxRegistry((id) => this.#replays.forget(id));
    this.deletions = new Deletions(this.registry, this.snapshots, this.hasVolumes);
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
    const beyondEngine = refusalOfEngine(freshId, spec, engine);
    if (beyondEngine !== undefined) throw beyondEngine;
    const sides = sideContainers(spec);
    const volumeFolders = resources.volumes.foldersOf(spec);
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
    const startMain = starterOfMain(primaryContainer(spec), plan, this.#options);
    const group =
      sides.length === 0
        ? undefined
        : groupOf({
            ...{ spec: resolved, id, restores, volumeFolders },
            ...{ engine: this.#options.engine, logMemory: this.#logMemory },
            starterOf: (container, itsPlan) => starterOfMain(container, itsPlan, this.#options),
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

  /** Ends every sandbox and takes no new ones; waits at most so long. */
  async close(timeoutSeconds: number): Promise<void> {
    this.#unavailable = "the local service is closing";
    this.snapshots.close();
    const active = this.registry.active();
    for (const record of active) record.terminate(0, "the local service was closed");
    await Promise.all(active.map((record) => record.ended(timeoutSeconds)));
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
