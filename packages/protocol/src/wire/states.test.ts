import { expect, test } from "vitest";
import { State } from "../gen/coreweave/sandbox/v1/sandbox_pb.ts";
import { isTerminal } from "./states.ts";

test("ends in exactly three states; one that a newer service may add is not an end", () => {
  const terminal = Object.entries(State).filter(([, state]) => isTerminal(state));
  expect(terminal.map(([name]) => name).toSorted()).toEqual(["COMPLETED", "FAILED", "TERMINATED"]);
  expect(isTerminal(99 as State)).toBe(false);
});
