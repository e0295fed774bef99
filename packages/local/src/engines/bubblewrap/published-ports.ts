import { withDeadline } from "../../deadline.ts";
import type { SpawnedRelay, Spawner } from "../../spawner/spawner.ts";
import type { RelayCommand } from "../../spawner/relay-messages.ts";

const CLOSE_SECONDS = 5;

/** Ports of one sandbox, and those of the host's loopback that lead to them. */
export class PublishedPorts {
  readonly #relay: SpawnedRelay;
  #hostPorts: ReadonlyMap<number, number>;

  private constructor(relay: SpawnedRelay, ports: readonly number[]) {
    this.#relay = relay;
    this.#hostPorts = new Map(ports.map((port, index) => [port, relay.hostPorts[index] ?? 0]));
    // Whatever ended it: nothing is promised that does not answer any more.
    void relay.ended.then(() => (this.#hostPorts = new Map()));
  }

  /** Resolves when all of them lead into the sandbox, whether or not anything listens there. */
  static async open(spawner: Spawner, command: RelayCommand): Promise<PublishedPorts> {
    return new PublishedPorts(await spawner.relay(command), command.ports);
  }

  /** By the sandbox's port. */
  get hostPorts(): ReadonlyMap<number, number> {
    return this.#hostPorts;
  }

  /** Resolves when the host's ports are closed, with all that went through them. */
  async close(): Promise<void> {
    this.#relay.kill();
    await withDeadline(this.#relay.ended, CLOSE_SECONDS, () => new Error("late")).catch(() => {});
  }
}
