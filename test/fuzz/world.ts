import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isTerminal, SnapshotState, State } from "@tidybox/protocol";
import {
  createRunning,
  eventually,
  specOf,
  type TestService,
} from "../../packages/local/src/testing/test-service.ts";
import type { World } from "./values.ts";

const SANDBOXES = 2;
const SECRET = "a secret of the host, which no answer may hold";

/** What cases are about: made before they run, and made again when one of them has ended it. */
export class RealWorld {
  readonly #service: TestService;
  readonly #hostFolder: string;
  #world: World;

  private constructor(service: TestService, hostFolder: string) {
    this.#service = service;
    this.#hostFolder = hostFolder;
    this.#world = { sandboxIds: [], snapshotIds: [], hostFolder };
  }

  static async make(service: TestService): Promise<RealWorld> {
    const hostFolder = mkdtempSync("/tmp/fuzz-host-");
    chmodSync(hostFolder, 0o777);
    writeFileSync(join(hostFolder, "secret"), SECRET);
    chmodSync(join(hostFolder, "secret"), 0o666);
    const made = new RealWorld(service, hostFolder);
    await made.refresh();
    return made;
  }

  get now(): World {
    return this.#world;
  }

  get hostSecret(): string {
    return SECRET;
  }

  /** Throws when the service does not answer as it should. Removes the sandboxes that cases made. */
  async refresh(): Promise<void> {
    const { client } = this.#service;
    const sandboxIds: string[] = [];
    for (const sandboxId of this.#world.sandboxIds) {
      const { status } = await client.getSandbox({ sandboxId });
      if (status?.state === State.RUNNING) sandboxIds.push(sandboxId);
    }
    const { sandboxes } = await client.listSandboxes({});
    for (const { sandboxId, status } of sandboxes) {
      if (sandboxIds.includes(sandboxId) || isTerminal(status?.state ?? State.UNSPECIFIED))
        continue;
      await client.deleteSandbox({ sandboxId, allowMissing: true });
    }
    while (sandboxIds.length < SANDBOXES) sandboxIds.push(await this.#sandbox());
    const [sandboxId = ""] = sandboxIds;
    this.#world = {
      sandboxIds,
      snapshotIds: await this.#snapshots(sandboxId),
      hostFolder: this.#hostFolder,
    };
  }

  /** Whether the host's folder is as it was. */
  hostIsUntouched(): boolean {
    const secret = readFileSync(join(this.#hostFolder, "secret"), "utf8");
    return secret === SECRET && readdirSync(this.#hostFolder).length === 1;
  }

  remove(): void {
    rmSync(this.#hostFolder, { recursive: true, force: true });
  }

  #sandbox(): Promise<string> {
    const spec = specOf(
      { volumeMounts: [{ volume: "data", mountPath: "/data" }] },
      {
        volumes: [{ name: "data", source: { case: "scratch", value: {} } }],
        network: { denyEgress: true },
        tags: ["fuzz"],
      },
    );
    return createRunning(this.#service.client, spec);
  }

  /** Keeps one that is ready, and removes the others. */
  async #snapshots(sandboxId: string): Promise<readonly string[]> {
    const { client } = this.#service;
    const { fileSystemSnapshots } = await client.listFileSystemSnapshots({});
    const ready = fileSystemSnapshots.find(({ state }) => state === SnapshotState.READY);
    for (const { fileSystemSnapshotId, state } of fileSystemSnapshots) {
      // One that is still being taken can be deleted the next time.
      if (fileSystemSnapshotId === ready?.fileSystemSnapshotId) continue;
      if (state === SnapshotState.CREATING) continue;
      await client.deleteFileSystemSnapshot({ fileSystemSnapshotId, allowMissing: true });
    }
    if (ready !== undefined) return [ready.fileSystemSnapshotId];
    const { fileSystemSnapshotId } = await client.createFileSystemSnapshot({ sandboxId });
    await eventually(async () => {
      const { state } = await client.getFileSystemSnapshot({ fileSystemSnapshotId });
      return state === SnapshotState.READY;
    });
    return [fileSystemSnapshotId];
  }
}
