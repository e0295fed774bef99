/** `promise`, or `late()` as the rejection when it takes longer than `seconds`. */
export async function withDeadline<T>(
  promise: Promise<T>,
  seconds: number,
  late: () => Error,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  try {
    return await Promise.race([
      promise,
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(late()), seconds * 1000);
      }),
    ]);
  } finally {
    clearTimeout(timer);
  }
}
