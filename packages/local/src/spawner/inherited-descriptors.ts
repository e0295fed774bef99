import { closeSync, readdirSync, readFileSync } from "node:fs";

/** Of a descriptor's flags in /proc: it is closed when its process executes another program. */
const CLOSE_ON_EXEC = 0o2000000;
const LAST_STANDARD = 2;

/**
 * Closes what whoever started this process left open in it (`exec 200</private; vitest`). It would
 * be handed on to every process of a sandbox, for which `/proc/self/fd/200/` is then a door into
 * the host. It closes all descriptors above standard error that would survive the execution of
 * another program. What Node opens, and its channel to a parent, does not.
 *
 * Call it in the first lines of a program, before anything but `node:fs` is imported. OpenSSL reads
 * certificates (`NODE_EXTRA_CA_CERTS`) in a thread of its own as soon as something asks for TLS, with
 * a descriptor that looks inherited: closed under its hands, the number is soon that of a socket of
 * ours, which the thread then closes.
 *
 * `keep` names descriptors to leave alone. Returns those that were closed. Linux only: elsewhere
 * there is no way to tell, and Node hands nothing on by itself (macOS).
 */
export function closeInheritedDescriptors(keep: readonly number[] = []): readonly number[] {
  return openDescriptors().filter((fd) => {
    if (fd <= LAST_STANDARD || keep.includes(fd) || !isInherited(fd)) return false;
    try {
      closeSync(fd);
      return true;
    } catch {
      // Gone since it was listed.
      return false;
    }
  });
}

function openDescriptors(): readonly number[] {
  if (process.platform !== "linux") return [];
  try {
    return readdirSync("/proc/self/fd").map(Number);
  } catch {
    // No /proc: nor a sandbox engine that could show descriptors to anybody.
    return [];
  }
}

function isInherited(fd: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "latin1"));
    return flags?.[1] !== undefined && (Number.parseInt(flags[1], 8) & CLOSE_ON_EXEC) === 0;
  } catch {
    // The listing's own, gone by now.
    return false;
  }
}
