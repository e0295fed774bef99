type Listener = (...args: never[]) => void;

/**
 * Adds one listener for each event, in front of the program's own: a `once` is off the list before
 * what comes after it runs, and an error thrown in one keeps those after it from running at all.
 * Answers how to remove them.
 */
export function addProcessListeners(listeners: Readonly<Record<string, Listener>>): () => void {
  const emitter: NodeJS.EventEmitter = process;
  // Ours shall not be the one too many that makes Node warn of a leak in the program.
  const most = process.getMaxListeners();
  if (most !== 0) process.setMaxListeners(most + 1);
  for (const [event, listener] of Object.entries(listeners)) {
    emitter.prependListener(event, listener as () => void);
  }
  return () => {
    for (const [event, listener] of Object.entries(listeners)) {
      emitter.removeListener(event, listener as () => void);
    }
    const now = process.getMaxListeners();
    if (now > 1) process.setMaxListeners(now - 1);
  };
}
