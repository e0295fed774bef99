import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { Connection } from "../connection/connection.ts";

/** The real service of @tidybox/local, for tests of what ordinarily happens. */
export interface TestService extends AsyncDisposable {
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly connection: Connection;
}

const START_SECONDS = 25;
const SCRIPT = `
  import { startLocalService } from "@tidybox/local";
  const service = await startLocalService();
  process.stdin.resume().once("end", () => service.close().finally(() => process.exit()));
  console.log(JSON.stringify({ baseUrl: service.baseUrl, apiKey: service.token }));
`;

/** In a process of its own, because the service gives root up for all of its process. */
export async function startTestService(): Promise<TestService> {
  const child = spawn(process.execPath, ["--input-type=module", "--eval", SCRIPT], {
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
    connection,
    [Symbol.asyncDispose]: async () => {
      connection.close();
      await stop();
    },
  };
}
