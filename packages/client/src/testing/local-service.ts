import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { Connection } from "../connection/connection.ts";
import { removeCleanupHandlers } from "../process/cleanup-handlers.ts";

/** The real service of @tidybox/local, for tests of what ordinarily happens. */
export interface TestService extends AsyncDisposable {
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly connection: Connection;
  readonly pid: number;
}

const START_SECONDS = 25;
const scriptFor = (options: object): string => `
  import { startLocalService } from "@tidybox/local";
  const service = await startLocalService(${JSON.stringify(options)});
  process.stdin.resume().once("end", () => service.close().finally(() => process.exit()));
  console.log(JSON.stringify({ baseUrl: service.baseUrl, apiKey: service.token }));
`;

/** In a process of its own, because the service gives root up for all of its process. */
export async function startTestService(
  options: {
    readonly engine?: "bubblewrap" | "process";
    readonly templates?: Readonly<Record<string, object>>;
    readonly volumes?: Readonly<Record<string, object>>;
    readonly secretsFile?: string;
    readonly faults?: object;
  } = {},
): Promise<TestService> {
  // The service takes its sandboxes along when the tests are over.
  removeCleanupHandlers();
  const child = spawn(process.execPath, ["--input-type=module", "--eval", scriptFor(options)], {
    cwd: import.meta.dirname,
    stdio: ["pipe", "pipe", "inherit"],
    env: { PATH: process.env["PATH"] },
  });
  const exited = once(child, "exit");
  const stop = async (): Promise<void> => {
    child.stdin.end();
    await exited;
  };
  const late = setTimeout(() => child.kill("SIGKILL"), START_SECONDS * 1000);
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = await answers.next();
  clearTimeout(late);
  if (answer.done === true) {
    await stop();
    throw new Error("the local service did not start");
  }
  const access = JSON.parse(answer.value) as { readonly baseUrl: string; readonly apiKey: string };
  const connection = new Connection(access);
  return {
    ...access,
    pid: child.pid ?? 0,
    connection,
    [Symbol.asyncDispose]: async () => {
      connection.close();
      await stop();
    },
  };
}
