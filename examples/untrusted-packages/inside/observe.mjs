import childProcess from "node:child_process";
import dns from "node:dns";
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import net from "node:net";

/**
 * Preloaded with `node --import`: records what code below a node_modules folder asks Node for. It
 * is a report and not a wall, since code can get round it; the wall is the sandbox.
 */

const touched = { files: new Set(), network: new Set(), programs: new Set(), variables: new Set() };

// Enough to see past Node's own frames, which stand between a package and what it asked for.
Error.stackTraceLimit = 100;

/** Whether a package asked for it: not our own code, and not Node that loads a module for it. */
function isAskedByPackage() {
  const frames = new Error().stack.split("\n").slice(1);
  const outside = frames.filter((frame) => !frame.includes(import.meta.url));
  const asker = outside.findIndex((frame) => !/\(?node:/.test(frame));
  if (asker === -1 || !outside[asker].includes("/node_modules/")) return false;
  return !outside.slice(0, asker).some((frame) => frame.includes("node:internal/modules/"));
}

function note(kind, what) {
  // Looking at the stack may itself read a variable or a file.
  if (note.busy) return;
  note.busy = true;
  try {
    if (isAskedByPackage()) touched[kind].add(what);
  } finally {
    note.busy = false;
  }
}

/** Puts a function in place of `owner[name]` that notes its call, and is otherwise the same. */
function watch(owner, name, kind, describe) {
  const original = owner[name];
  if (typeof original !== "function") return;
  const watching = function (...args) {
    const what = describe(...args);
    if (what !== undefined) note(kind, what);
    return Reflect.apply(original, this, args);
  };
  Object.defineProperties(watching, Object.getOwnPropertyDescriptors(original));
  owner[name] = watching;
}

const asPath = (path) =>
  typeof path === "string" || path instanceof URL ? String(path) : undefined;
for (const owner of [fs, fs.promises]) {
  for (const name of Object.keys(owner)) {
    // Those with a capital are classes, those with _ are Node's own.
    if (/^[a-z]/.test(name)) watch(owner, name, "files", asPath);
  }
}

const asWord = (word) => String(word);
for (const name of ["spawn", "spawnSync", "exec", "execSync", "execFile", "execFileSync", "fork"]) {
  watch(childProcess, name, "programs", asWord);
}
for (const owner of [dns, dns.promises]) {
  for (const name of Object.keys(owner)) {
    if (/^(lookup|resolve|reverse)/.test(name)) watch(owner, name, "network", asWord);
  }
}
watch(net.Socket.prototype, "connect", "network", (...args) => {
  const [options] = Array.isArray(args[0]) ? args[0] : args;
  if (typeof options !== "object") return String(options);
  return options.path ?? `${options.host ?? "localhost"}:${options.port}`;
});

process.env = new Proxy(process.env, {
  get(variables, name, receiver) {
    if (typeof name === "string") note("variables", name);
    return Reflect.get(variables, name, receiver);
  },
  has(variables, name) {
    if (typeof name === "string") note("variables", name);
    return Reflect.has(variables, name);
  },
  ownKeys(variables) {
    note("variables", "*");
    return Reflect.ownKeys(variables);
  },
});

// So that `import { readFile } from "node:fs"` gets ours too.
syncBuiltinESMExports();

/** What was touched until now, sorted. */
export const takeTouched = () =>
  Object.fromEntries(Object.entries(touched).map(([kind, what]) => [kind, [...what].toSorted()]));
