/** Placeholder until the types land. */
export type SandboxTest = (
  name: string,
  fn: (fixtures: never) => unknown,
  timeout?: number,
) => void;
export type SandboxHook = (fn: (fixtures: never) => unknown, timeout?: number) => void;
