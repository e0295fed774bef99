import { expect, test } from "vitest";
import { LaunchFailure } from "./launch-failure.ts";

function passed(filter: LaunchFailure, pieces: readonly string[]): readonly string[] {
  const out = pieces.map((piece) => filter.push(Buffer.from(piece)).toString());
  return [...out, filter.end().toString()].filter((piece) => piece !== "");
}

test("takes setpriv's name out of what it says, in however many pieces", () => {
  const said = ["setpriv: ", "failed to execute nope", ": No such file or directory\n"];
  for (const pieces of [said, [said.join("")], [said.slice(0, 2).join(""), said[2] ?? ""]]) {
    const filter = new LaunchFailure("nope");
    expect(passed(filter, pieces).join("")).toBe("nope: No such file or directory\n");
    expect(filter.reason).toBe("nope: No such file or directory");
  }
});

test("lets the words of a command that ran pass at once and as they are", () => {
  for (const words of [
    ["s", "etpriv: failed to execute nope: no\n"],
    ["setpriv: failed to execute other: No such file or directory\n"],
    ["setpriv: ", "unknown option\n"],
    ["warning\n", "setpriv: failed to execute nope: No such file or directory\n"],
    ["setpriv: "],
  ]) {
    const filter = new LaunchFailure("nope");
    expect(passed(filter, words).join("")).toBe(words.join(""));
    expect(filter.reason).toBeUndefined();
  }
  // A prompt must not wait for the rest of a message that never comes.
  expect(new LaunchFailure("nope").push(Buffer.from("set")).toString()).toBe("set");
});

test("says of a shell's refusal what execvp would have said", () => {
  for (const [said, heard] of [
    ["not found", "No such file or directory"],
    ["Permission denied", "Permission denied"],
  ]) {
    const filter = new LaunchFailure("nope", "shell");
    expect(passed(filter, ["tidybox-shell: 1: ", "exec: ", `nope: ${said}`, "\n"]).join("")).toBe(
      `nope: ${heard}\n`,
    );
    expect(filter.reason).toBe(`nope: ${heard}`);
  }
});
