import { type Connection, Sandbox } from "@tidybox/client";
import type { Finding } from "./report.ts";

const LIFETIME_SECONDS = 60;
const START_SECONDS = 60;
const URL_SECONDS = 10;
const PORT = 8080;

/** Whether a sandbox can have ports and no egress here, tried with one that has both. */
export async function networkFinding(connection: Connection, image: string): Promise<Finding> {
  const name = "network";
  try {
    await using sandbox = await Sandbox.run({
      connection,
      containerImage: image,
      services: [{ port: PORT, visibility: "public" }],
      network: { denyEgress: true },
      maxLifetimeSeconds: LIFETIME_SECONDS,
      startTimeoutSeconds: START_SECONDS,
    });
    const url = await sandbox.url(PORT, { timeoutSeconds: URL_SECONDS });
    const detail = `egress can be denied, and ports are reached: port ${PORT} of a sandbox was ${url}`;
    return { name, state: "ok", detail };
  } catch (error) {
    const detail = error instanceof Error ? error.message.replaceAll("\n", " ") : String(error);
    return { name, state: "weaker", detail: `no ports and no denied egress: ${detail}` };
  }
}
