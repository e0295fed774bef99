// Run in the sandbox as: node --import ./observe.mjs probe.mjs ./exercise.mjs report.json
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { takeTouched } from "./observe.mjs";

const [exercise, report] = process.argv.slice(2);

const { default: answer } = await import(pathToFileURL(resolve(exercise)));
const touched = takeTouched();

// In the same process, and so with all that the package has: what if it were compromised?
const loot = await (await import("evil-package")).loot;

writeFileSync(report, JSON.stringify({ answer, touched, loot }));
