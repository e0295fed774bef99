/** Whoever reads it takes it byte for byte from a socket: beyond this, starting anew is quicker. */
const MAX_SCRIPT_BYTES = 8 * 1024;

/** The name of the variable of the waiting shell that holds a line feed. */
const LINE_FEED = "_tidybox_nl";

/** What a shell takes for a variable. Others can be in an environment, but no shell puts them there. */
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Variables that shells set, refuse or obey themselves. */
const OF_SHELLS =
  /^(_|_tidybox_.*|BASH.*|DIRSTACK|EUID|FUNCNAME|GROUPS|IFS|LINENO|OLDPWD|OPTARG|OPTIND|PPID|PS[1-4]|PWD|RANDOM|SECONDS|SHELLOPTS|SHLVL|UID)$/;

/** What a waiting shell runs: it takes one line, answers that it has it, and becomes the command. */
export const WAIT_SCRIPT = `${LINE_FEED}='\n'; IFS= read -r _tidybox_line && echo + >&0 && eval "$_tidybox_line"`;

/**
 * One line, with its line feed, on which a waiting shell becomes the command: with exactly this
 * environment, and no input unless it is wanted. Undefined where only a new process can do that.
 */
export function becomeCommand(
  argv: readonly string[],
  environment: Readonly<Record<string, string>>,
  wantsInput: boolean,
): string | undefined {
  const names = Object.keys(environment);
  if (!names.every((name) => VARIABLE.test(name) && !OF_SHELLS.test(name))) return undefined;
  const assignments = names.map((name) => `${name}=${quoted(environment[name] ?? "")}`);
  const script = [
    // Shells put it into the environment by themselves.
    "unset PWD OLDPWD",
    ...(assignments.length > 0 ? [`export ${assignments.join(" ")}`] : []),
    `exec ${argv.map(quoted).join(" ")}${wantsInput ? "" : " </dev/null"}`,
  ].join(";");
  return Buffer.byteLength(script) > MAX_SCRIPT_BYTES ? undefined : `${script}\n`;
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`).replaceAll("\n", `'"$${LINE_FEED}"'`)}'`;
}
