import { closeSync, constants, openSync, unlink } from "node:fs";
import { join } from "node:path";

/** One `mkfifo` makes many names for the price of one process. */
const BATCH = 48;
const LOW_WATER = 24;

export interface OpenFifo {
  readonly path: string;
  /** Read end. Do not read before the write end is open: that would look like the end. */
  readonly fd: number;
}

/**
 * Named pipes for stdout and stderr. Anonymous ones cannot cross to the helper, and Node's own
 * `'pipe'` is a socket, on which `echo x >/dev/stderr` fails inside (ENXIO).
 */
export class FifoPool {
  readonly #folder: string;
  readonly #make: (paths: readonly string[]) => Promise<unknown>;
  readonly #names: string[] = [];
  #made = 0;
  #refill: Promise<void> | undefined;

  constructor(folder: string, make: (paths: readonly string[]) => Promise<unknown>) {
    this.#folder = folder;
    this.#make = make;
  }

  /** Begins to make pipes before somebody waits for them. */
  warm(): void {
    if (this.#refill !== undefined) return;
    this.#refill = this.#fill();
    // Whoever finds none left asks again, and hears why.
    this.#refill.catch(() => {});
  }

  /** Opens the read end of a fresh pipe. */
  async take(): Promise<OpenFifo> {
    for (;;) {
      const path = this.#names.pop();
      if (this.#names.length < LOW_WATER) this.warm();
      if (path !== undefined) {
        return { path, fd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK) };
      }
      await this.#refill;
    }
  }

  /** For a pipe whose write end was never opened; otherwise the helper removes its name. */
  discard(fifo: OpenFifo): void {
    closeSync(fifo.fd);
    unlink(fifo.path, () => {});
  }

  async #fill(): Promise<void> {
    try {
      const paths = Array.from({ length: BATCH }, (_, index) =>
        join(this.#folder, String(this.#made + index)),
      );
      this.#made += BATCH;
      await this.#make(paths);
      this.#names.push(...paths);
    } finally {
      this.#refill = undefined;
    }
  }
}
