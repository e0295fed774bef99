/** signal-exit's own marks: version 3 leaves its emitter at the process, version 4 at the realm. */
const SIGNAL_EXIT_PLACES = [
  () => Reflect.get(process, "__signal_exit_emitter__") as unknown,
  () => Reflect.get(globalThis, Symbol.for("signal-exit emitter")) as unknown,
];

/**
 * Whether the program has a handler of its own for the signal, which then decides how the process
 * ends. The listeners of signal-exit (below execa, inquirer and many more) do not: they go by this
 * very rule, so that with them and us each would leave the end to the other.
 */
export function hasDecidingListener(signal: NodeJS.Signals, ours: unknown): boolean {
  const others = process.listeners(signal).filter((listener) => listener !== ours).length;
  return others > SIGNAL_EXIT_PLACES.reduce((sum, place) => sum + countOf(place()), 0);
}

function countOf(emitter: unknown): number {
  if (typeof emitter !== "object" || emitter === null) return 0;
  const count: unknown = Reflect.get(emitter, "count");
  return typeof count === "number" ? count : 0;
}
