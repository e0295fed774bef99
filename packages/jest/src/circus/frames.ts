/**
 * Takes the frames of files below a folder out of an error's stack.
 *
 * Its first line stays what the message is: Jest 29 makes an error where a test is defined, and gives
 * it its message ("Exceeded timeout of …") when the test has failed. The engine writes a stack when it
 * is first read, and never again.
 */
export function hideFrames(error: Error, folder: string): void {
  const lines = (error.stack ?? "").split("\n");
  const frames = lines.filter((line) => /^\s+at /.test(line) && !line.includes(folder));
  Object.defineProperty(error, "stack", {
    configurable: true,
    enumerable: false,
    get: () =>
      [error.message === "" ? error.name : `${error.name}: ${error.message}`, ...frames].join("\n"),
    set: (stack: unknown) => {
      Object.defineProperty(error, "stack", {
        value: stack,
        configurable: true,
        enumerable: false,
        writable: true,
      });
    },
  });
}
