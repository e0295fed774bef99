import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { becomeCommand, WAIT_SCRIPT } from "./shell-script.ts";

const HARD = [
  "",
  " ",
  "a b",
  "'",
  "''",
  `"$HOME"`,
  "line\nfeed\n",
  "\\",
  "*",
  "`id`",
  "$(id)",
  "\t",
  "-n",
  "é",
];

/** Runs it as a sandbox would, and answers what it printed. */
function become(script: string | undefined, input = ""): string {
  const ran = spawnSync("/usr/bin/dash", ["-c", WAIT_SCRIPT.replace("echo + >&0 &&", ""), "x"], {
    env: { PATH: "/usr/bin:/bin", PWD: "/somewhere" },
    input: `${script ?? ""}${input}`,
    encoding: "utf8",
  });
  expect(ran.stderr).toBe("");
  return ran.stdout;
}

describe.runIf(existsSync("/usr/bin/dash"))("a line for a waiting shell", () => {
  test("keeps every word of the command as it is", () => {
    const printed = become(
      becomeCommand(["printf", "%s\\0", ...HARD], { PATH: "/usr/bin" }, false),
    );
    expect(printed.split("\0").slice(0, -1)).toEqual(HARD);
  });

  test("gives the command exactly the environment, and no more", () => {
    const environment = {
      PATH: "/usr/bin",
      LD_LIBRARY_PATH: "/nowhere",
      ...Object.fromEntries(HARD.map((value, index) => [`HARD_${index}`, value])),
    };
    const printed = become(becomeCommand(["env", "-0"], environment, false));
    const seen = printed.split("\0").slice(0, -1);
    expect(seen.toSorted()).toEqual(
      Object.entries(environment)
        .map(([name, value]) => `${name}=${value}`)
        .toSorted(),
    );
  });

  test("leaves what follows it to the command that wants input, byte for byte", () => {
    const line = (wantsInput: boolean) => becomeCommand(["cat"], { PATH: "/usr/bin" }, wantsInput);
    expect(become(line(true), "one\ntwo")).toBe("one\ntwo");
    expect(become(line(false), "one\ntwo")).toBe("");
  });

  test("is not there for what no shell can do: odd names, its own variables, very long commands", () => {
    for (const name of [
      "A-B",
      "1A",
      "a.b",
      "PWD",
      "OPTIND",
      "BASH_ENV",
      "IFS",
      "_",
      "_tidybox_nl",
    ]) {
      expect(becomeCommand(["true"], { [name]: "x" }, false), name).toBeUndefined();
    }
    expect(becomeCommand(["echo", "x".repeat(10_000)], {}, false)).toBeUndefined();
  });
});
