// Vitest runs this before each test file. It stands here as TypeScript because that is what Vitest
// itself evaluates anew for each file: a module that Node loads would run for a worker's first file
// only, where isolation is off.
import { prepareFile } from "./dist/hooks.js";

prepareFile();
