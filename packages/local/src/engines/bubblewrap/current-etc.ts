import { join } from "node:path";
import { completeEtc, type EtcTemplate, makeEtcTemplate } from "./etc-template.ts";

/** A run of one quick suite is over by then, and has not paid for what it never used. */
const COMPLETE_AFTER_SECONDS = 10;

/** The /etc that new sandboxes share: quick to make at first, quicker to mount soon after. */
export class CurrentEtc {
  #current: EtcTemplate;
  readonly #timer: NodeJS.Timeout;
  #completing: Promise<void> | undefined;

  /** Makes `etc-template` and later `etc-complete` in the folder. */
  constructor(folder: string) {
    const first = makeEtcTemplate(join(folder, "etc-template"));
    this.#current = first;
    this.#timer = setTimeout(() => {
      this.#completing = completeEtc(first, join(folder, "etc-complete")).then(
        (complete) => {
          this.#current = complete;
        },
        // A full disk, say: the first one stays in use.
        () => {},
      );
    }, COMPLETE_AFTER_SECONDS * 1000).unref();
  }

  get current(): EtcTemplate {
    return this.#current;
  }

  /** Resolves when nothing more is written. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#completing;
  }
}
