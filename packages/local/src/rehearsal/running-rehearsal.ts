import { describeFaults } from "../faults/describe-faults.ts";
import type { FaultOptions } from "../faults/fault-options.ts";
import { injectsFaults } from "../faults/fault-plan.ts";
import type { Faults } from "../faults/faults.ts";
import type { NoticeListener } from "../notice.ts";

/** The faults of a service that runs: looked at, changed, and told to whoever started it. */
export class RunningRehearsal {
  readonly #faults: Faults;
  readonly #ownLimit: number | undefined;
  readonly #onNotice: NoticeListener;

  /** @param ownLimit the service's `maxSandboxes`, without a rehearsal */
  constructor(faults: Faults, ownLimit: number | undefined, onNotice: NoticeListener) {
    this.#faults = faults;
    this.#ownLimit = ownLimit;
    this.#onNotice = onNotice;
  }

  get options(): FaultOptions {
    return this.#faults.options;
  }

  /** Most active ones; undefined: no limit. */
  get maxSandboxes(): number | undefined {
    return this.#faults.plan.quota ?? this.#ownLimit;
  }

  /** From now on these and no others. Throws LocalServiceError, and changes nothing then. */
  change(options: FaultOptions): void {
    const before = injectsFaults(this.#faults.plan);
    this.#faults.change(options);
    this.tell();
    if (before && !injectsFaults(this.#faults.plan))
      this.#onNotice({
        code: "faults_cleared",
        message: "nothing goes wrong on purpose any more",
      });
  }

  /** Says what goes wrong, if anything does. */
  tell(): void {
    const { options, plan } = this.#faults;
    if (!injectsFaults(plan)) return;
    this.#onNotice({ code: "faults_injected", message: describeFaults(options, plan) });
  }
}
