import { untrackSandbox } from "../process/untrack.ts";
import { handleOf } from "../sandbox/handle-of.ts";
import type { SandboxHandle } from "../sandbox/handle.ts";
import { trackSandbox } from "../sandbox/live.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";

/** What a session has to stop: each sandbox once, however many objects there are of it. */
export class OwnedSandboxes implements Iterable<Sandbox> {
  readonly #byKey = new Map<string, Sandbox>();
  readonly #dispose: (sandbox: Sandbox) => boolean;

  /** @param dispose at the end of its `await using` block; answers whether that has taken over */
  constructor(dispose: (sandbox: Sandbox) => boolean) {
    this.#dispose = dispose;
  }

  [Symbol.iterator](): Iterator<Sandbox> {
    return this.#byKey.values();
  }

  /** The object of a sandbox that is owned, brought up to date. */
  find(handle: SandboxHandle): Sandbox | undefined {
    const owned = this.#byKey.get(keyOf(handle));
    if (owned !== undefined && handle.record !== undefined) handleOf(owned).see(handle.record);
    return owned;
  }

  /** Until it has been stopped. Answers the object that stands for it here: the first one. */
  own(sandbox: Sandbox): Sandbox {
    const handle = handleOf(sandbox);
    const key = keyOf(handle);
    const owned = this.#byKey.get(key);
    if (owned !== undefined) return owned;
    this.#byKey.set(key, sandbox);
    handle.onEnd(() => this.#byKey.delete(key));
    handle.onDispose = () => this.#dispose(sandbox);
    trackSandbox(handle);
    return sandbox;
  }

  /** Somebody else stops this one from now on, also when this process ends. */
  disown(sandbox: Sandbox): void {
    const handle = handleOf(sandbox);
    this.#byKey.delete(keyOf(handle));
    handle.onDispose = undefined;
    untrackSandbox(handle.connection.baseUrl, handle.id);
  }

  clear(): void {
    this.#byKey.clear();
  }
}

/** Ids are a service's own. */
function keyOf({ connection, id }: SandboxHandle): string {
  return `${connection.baseUrl} ${id}`;
}
