// What the exported `test` loads through Node's own require where the file's environment is not
// ours: the code that must live as long as the worker, and not as long as the file.
export { addToErrors } from "./circus/diagnostics.ts";
export { FileFixtures } from "./file-fixtures.ts";
