import type { Vitest } from "vitest/node";

/**
 * The first thing that a fork runs: it dies with its runner. And it takes itself out of what the
 * fork's own children would inherit.
 */
const GUARD =
  "process.execArgv=process.execArgv.filter((each)=>!each.includes('tidybox-orphan-guard'));" +
  "process.once('disconnect',()=>process.kill(process.pid,'SIGKILL'))";

const OPTION = `--import=data:text/javascript,/*tidybox-orphan-guard*/${encodeURIComponent(GUARD)}`;

interface ForkOptions {
  execArgv?: readonly string[];
}

/** As Vitest 3 has it; later versions have no `poolOptions`. */
interface PoolOptions {
  forks?: ForkOptions;
  vmForks?: ForkOptions;
}

/**
 * A fork of Vitest 3 that loses its runner before its setup files are there waits for them for
 * ever, and grows; nothing in those files can help it. Later versions end such forks themselves.
 */
export function guardForks(vitest: Vitest): void {
  if (!vitest.version.startsWith("3.")) return;
  const config = vitest.config as { poolOptions?: PoolOptions };
  config.poolOptions ??= {};
  for (const pool of ["forks", "vmForks"] as const) {
    const { execArgv = [] } = (config.poolOptions[pool] ??= {});
    if (!execArgv.includes(OPTION)) config.poolOptions[pool].execArgv = [...execArgv, OPTION];
  }
}
