import { type Connection, Sandbox } from "@tidybox/client";

/** Somebody else's sandboxes on the same service. Nobody may touch them. */
export interface Bystander extends AsyncDisposable {
  readonly count: number;
  /** What is wrong with each that was touched. */
  touched(): Promise<readonly string[]>;
}

const COUNT = 2;
/** Close to the tags of a run, and none. */
const TAGS = ["tidybox", "tidybox-run-somebody-else"];
const CONTENT = "mine\n";
const LIFETIME_SECONDS = 900;

export async function standBy(connection: Connection): Promise<Bystander> {
  const sandboxes = await Promise.all(
    Array.from({ length: COUNT }, () =>
      Sandbox.run({ connection, tags: TAGS, maxLifetimeSeconds: LIFETIME_SECONDS }),
    ),
  );
  for (const sandbox of sandboxes) await sandbox.writeFile("mine.txt", CONTENT);
  return {
    count: COUNT,
    touched: async () => {
      const looks = sandboxes.map(async (sandbox) => {
        const problem = await problemOf(sandbox, connection).catch(String);
        return problem === undefined ? [] : [`${sandbox.id}: ${problem}`];
      });
      return (await Promise.all(looks)).flat();
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.allSettled(
        sandboxes.map(({ id }) => Sandbox.delete(id, { missingOk: true, connection })),
      );
    },
  };
}

async function problemOf(sandbox: Sandbox, connection: Connection): Promise<string | undefined> {
  const { state } = await Sandbox.fromId(sandbox.id, { connection });
  if (state !== "running") return `is ${state}`;
  const content = new TextDecoder().decode(await sandbox.readFile("mine.txt"));
  return content === CONTENT ? undefined : `holds ${JSON.stringify(content)}`;
}
