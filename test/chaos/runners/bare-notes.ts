/** Where the hooks of a bare project note that they run, one line each. */
export const HOOKS_FILE = "hooks.txt";

/** A test waits in its body for a file of this name; the watcher makes it. */
export const GO = "go";
export const releaseOf = (test: "a" | "b") => `release-${test}`;

/** The longest that a body waits for anything: nobody may have stayed to release it. */
const BODY_SECONDS = 90;

/** What bare projects share, as statements that declare `note`, `there` and `pause`. */
export const BARE_NOTES = `
const note = (text) => appendFileSync(${JSON.stringify(HOOKS_FILE)}, text + "\\n");
const there = (name) => existsSync(name);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
`;

/** Source text: waits in a body. */
export function waitFor(...names: readonly string[]): string {
  const condition = names.map((name) => `!there(${JSON.stringify(name)})`).join(" && ");
  return `for (let left = ${BODY_SECONDS * 50}; left > 0 && ${condition}; left -= 1) await pause(20);`;
}

export const BARE_TEST_TIMEOUT_MS = 120_000;
