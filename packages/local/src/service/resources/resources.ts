import { join } from "node:path";
import type { SandboxSpec } from "@tidybox/protocol";
import type { NoticeListener } from "../../notice.ts";
import { RecordFolder } from "./record-folder.ts";
import { RegisteredVolumes, type VolumeOptions } from "./registered-volumes.ts";
import type { SecretStores } from "./secret-stores.ts";
import { Templates } from "./templates.ts";

export interface ResourcesOptions {
  /** What stays when the service ends; undefined: everything goes with it. */
  readonly dataFolder: string | undefined;
  /** The service's own, for the rest. */
  readonly stateFolder: string;
  readonly templates: Readonly<Record<string, unknown>>;
  readonly volumes: Readonly<Record<string, VolumeOptions>>;
  readonly secrets: SecretStores;
  readonly onNotice: NoticeListener;
}

/** What specs refer to and what is not theirs: templates, registered volumes, secret stores. */
export class Resources {
  readonly templates: Templates;
  readonly volumes: RegisteredVolumes;
  readonly secrets: SecretStores;

  /** Throws LocalServiceError for an option that is wrong. */
  constructor(options: ResourcesOptions) {
    const { dataFolder, stateFolder, onNotice } = options;
    this.templates = new Templates(
      dataFolder === undefined
        ? undefined
        : new RecordFolder(join(dataFolder, "templates"), onNotice),
    );
    for (const [id, spec] of Object.entries(options.templates)) this.templates.put(id, spec);
    const parent = join(dataFolder ?? stateFolder, "volumes");
    this.volumes = new RegisteredVolumes(parent, options.volumes);
    this.secrets = options.secrets;
  }

  /** Throws unless everything that the spec refers to is there. */
  check(spec: SandboxSpec): void {
    this.volumes.check(spec);
    this.secrets.check(spec);
  }
}
