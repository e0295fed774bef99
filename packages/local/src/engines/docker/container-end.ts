import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Container } from "dockerode";
import { type DockerConnection, DockerCallError } from "./docker-connection.ts";

/** Docker's own word on the end usually comes in the same moment. */
const FIRST_LOOK_MILLISECONDS = 500;
const LOOK_MILLISECONDS = 1000;
/** Without its input it ends by itself; after so many looks it is killed. */
const LOOKS_BEFORE_KILL = 3;
const LOOKS = 20;
const LOOKS_IN_VAIN = 2;

/**
 * Resolves with its exit code when a container has ended; takes as long as it runs. Rejects when Docker no longer tells,
 * or at `signal`. Docker's answer alone is not enough: it can break off, and nobody would hear of it.
 * Its input breaks off with it.
 */
export async function containerEnd(
  docker: DockerConnection,
  container: Container,
  lifeline: Socket,
  signal: AbortSignal,
): Promise<number> {
  const over = new AbortController();
  const abortSignal = AbortSignal.any([signal, over.signal]);
  const broken = new Promise<void>((resolve) => {
    lifeline.once("end", resolve).once("close", resolve);
    if (lifeline.destroyed) resolve();
  });
  const aborted = new Promise<never>((_, reject) => {
    const fail = (): void => reject(new Error("Docker did not say how it ended"));
    if (signal.aborted) fail();
    signal.addEventListener("abort", fail, { once: true });
  });
  const told = container
    .wait({ abortSignal })
    .then((answer) => (answer as { readonly StatusCode: number }).StatusCode);
  const seen = broken.then(() => lookUntilEnded(docker, container, over.signal));
  try {
    return await Promise.race([told, aborted, seen]);
  } finally {
    // Whoever loses the race fails unheard.
    for (const each of [told, aborted, seen]) each.catch(() => {});
    over.abort();
  }
}

async function lookUntilEnded(
  docker: DockerConnection,
  container: Container,
  signal: AbortSignal,
): Promise<number> {
  await sleep(FIRST_LOOK_MILLISECONDS, undefined, { signal });
  let inVain = 0;
  let failure: unknown = "it runs on without its input";
  for (let count = 0; count < LOOKS; count += 1) {
    try {
      const end = await lookIfEnded(docker, container);
      if (end !== undefined) return end;
      inVain = 0;
      if (count >= LOOKS_BEFORE_KILL)
        await docker.call("kill a container", (options) => container.kill(options));
    } catch (error) {
      failure = error;
      inVain += 1;
      const isGone = error instanceof DockerCallError && error.status === 404;
      if (isGone || inVain === LOOKS_IN_VAIN) throw error;
    }
    await sleep(LOOK_MILLISECONDS, undefined, { signal });
  }
  throw failure instanceof Error ? failure : new Error(String(failure));
}

async function lookIfEnded(
  docker: DockerConnection,
  container: Container,
): Promise<number | undefined> {
  const { State: state } = await docker.call("say how a container ended", (options) =>
    container.inspect(options),
  );
  if (state.Running) return undefined;
  return state.ExitCode;
}
