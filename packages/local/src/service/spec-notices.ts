import { type Container, DEFAULT_IMAGE, type SandboxSpec, StorageMedium } from "@tidybox/protocol";
import type { Engine, SandboxPlan } from "../engines/engine.ts";
import type { NoticeListener } from "../notice.ts";

export interface SpecNoticesOptions {
  readonly engine: Engine;
  readonly mappedImages: ReadonlySet<string>;
  readonly onNotice: NoticeListener;
}

/** Far more than anybody reads; image names are a client's to choose. */
const MAX_TOLD = 1000;

/** Of an image's name. */
const MAX_NAME_LENGTH = 200;

/** What is accepted in a spec and not quite done, told once for each kind. */
export class SpecNotices {
  readonly #options: SpecNoticesOptions;
  readonly #told = new Set<string>();

  constructor(options: SpecNoticesOptions) {
    this.#options = options;
  }

  /** Tells of what this machine does otherwise, if nobody has been told yet. */
  of({ image, memoryLimitBytes }: SandboxPlan, spec: SandboxSpec): void {
    const { engine, mappedImages, onNotice } = this.#options;
    const once = (key: string, tell: () => void): void => this.#once(key, tell);
    if (engine.name !== "docker" && image !== DEFAULT_IMAGE && !mappedImages.has(image)) {
      const name = image.slice(0, MAX_NAME_LENGTH);
      once(`image ${name}`, () =>
        onNotice({
          code: "image_not_mapped",
          message:
            `image ${JSON.stringify(name)} has no root directory on this machine: its sandboxes run on the host's own programs ` +
            (engine.name === "bubblewrap"
              ? "(read-only). Map it with `images` to use an unpacked image."
              : "."),
        }),
      );
    }
    const enforcesCpu = engine.enforces?.includes("cpu") === true;
    const enforcesMemory = engine.enforces?.includes("memory") === true;
    const notEnforced = [
      ...(spec.containers.some(asksForCpu) && !enforcesCpu ? ["cpu"] : []),
      ...(memoryLimitBytes !== undefined && !enforcesMemory ? ["memory"] : []),
    ].join(" and ");
    if (notEnforced !== "") {
      once(`resources ${notEnforced}`, () =>
        onNotice({
          code: "resources_not_enforced",
          message: `${notEnforced} of sandboxes: accepted and reported, but not enforced by the engine "${engine.name}".`,
        }),
      );
    }
  }

  /** The same of volumes. */
  ofVolumes({ volumes }: SandboxSpec): void {
    const sized = volumes.some(
      ({ source }) =>
        source.case === "scratch" &&
        source.value.size !== "" &&
        source.value.medium !== StorageMedium.MEMORY,
    );
    if (!sized) return;
    this.#once("volume size", () =>
      this.#options.onNotice({
        code: "volume_size_not_enforced",
        message:
          "the size of scratch volumes on disk is accepted and not enforced on this machine; that of volumes in memory is.",
      }),
    );
  }

  /** The same of services. */
  ofNetwork({ services, network }: SandboxSpec): void {
    const { onNotice, engine } = this.#options;
    if (network?.denyEgress === true) {
      this.#once("names", () =>
        onNotice({
          code: "names_not_resolved",
          message:
            "a sandbox that is denied egress has no DNS on this machine; on the real service names are still resolved there.",
        }),
      );
    }
    if (services.length > 0 && engine.servicesHaveEgress !== true && network?.denyEgress !== true) {
      this.#once("services", () =>
        onNotice({
          code: "services_without_egress",
          message:
            "a sandbox with services has a network of its own on this machine, and nothing leads out of it: egress is denied there, also where deny_egress is not set.",
        }),
      );
    }
    if (services.some(({ endpoint }) => endpoint !== undefined)) {
      this.#once("endpoints", () =>
        onNotice({
          code: "endpoint_without_tls",
          message:
            "HTTPS endpoints of sandboxes have http:// addresses on this machine: the local service has no TLS.",
        }),
      );
    }
  }

  #once(key: string, tell: () => void): void {
    if (this.#told.has(key) || this.#told.size >= MAX_TOLD) return;
    this.#told.add(key);
    tell();
  }
}

function asksForCpu({ resources, resourceRequirements }: Container): boolean {
  const { requests, limits } = resourceRequirements ?? {};
  return [resources, requests, limits].some((side) => (side?.cpu ?? "") !== "");
}
