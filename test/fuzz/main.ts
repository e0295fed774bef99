import { parseArgs } from "node:util";
import { reportLines } from "./report.ts";
import { fuzz } from "./run.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    cases: { type: "string", default: "50000" },
    /** `--first N --cases 1` repeats case N. */
    first: { type: "string", default: "0" },
  },
});
const numbers = [values.seed, values.cases, values.first].map(Number);
if (numbers.some((number) => !Number.isSafeInteger(number) || number < 0)) {
  process.stderr.write("npm run fuzz -- --seed N --cases N [--first N]: whole numbers\n");
  process.exit(2);
}
const [seed = 1, cases = 0, first = 0] = numbers;
const report = await fuzz({
  ...{ seed, cases, first },
  onRound: (done) => void process.stderr.write(`\r${done} of ${cases}`),
});
process.stderr.write("\n");
for (const line of reportLines(report)) process.stdout.write(`${line}\n`);
if (report.problems.length > 0 || report.left.length > 0) process.exitCode = 1;
