import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const WANDB_MACHINES = ["api.wandb.ai", "wandb.ai"] as const;

/** What `wandb login` has left in `~/.netrc`; undefined where there is no such file or entry. */
export function keyFromNetrc(): string | undefined {
  let text: string;
  try {
    text = readFileSync(join(homedir(), ".netrc"), "utf8");
  } catch {
    return undefined;
  }
  const words = text
    .split("\n")
    .flatMap((line) => line.replace(/^\s*#.*/, "").split(/\s+/))
    .filter((word) => word !== "");
  return WANDB_MACHINES.map((machine) => passwordOf(words, machine)).find(
    (password) => password !== undefined,
  );
}

function passwordOf(words: readonly string[], machine: string): string | undefined {
  const start = words.findIndex(
    (word, index) => word === machine && words[index - 1] === "machine",
  );
  if (start < 0) return undefined;
  for (let index = start + 1; index < words.length; index += 2) {
    if (words[index] === "machine" || words[index] === "default") return undefined;
    if (words[index] === "password") return words[index + 1];
  }
  return undefined;
}
