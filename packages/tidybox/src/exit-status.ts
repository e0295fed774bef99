/** Something could not be done: a sandbox not stopped, a service not reached. */
export const EXIT_FAILED = 1;

/** Wrong usage of the command itself. */
export const EXIT_USAGE = 2;
