import { Connection, Sandbox } from "@tidybox/client";
import { type ResolvedConfig, isServedLocally } from "@tidybox/fixtures";
import type { DoctorReport, Finding } from "./report.ts";
import { trySandbox } from "./try-sandbox.ts";

const LIST_SECONDS = 20;

/** Asks the service for a listing; makes a sandbox only when told to, as that may cost money. */
export async function examineRemote(
  { backend, backendReason, sandbox: options }: ResolvedConfig,
  image: string,
  run: boolean,
): Promise<DoctorReport> {
  const connection = new Connection();
  try {
    const listed = await list(connection);
    const isThere = listed.state !== "missing";
    const servedLocally = isThere && (await isServedLocally(connection));
    const report = {
      ...{ backend, backendReason, engine: undefined },
      ...(servedLocally ? { localServiceUrl: connection.baseUrl } : {}),
    };
    if (!isThere || !run) {
      const findings = isThere ? [listed, offer(image, servedLocally)] : [listed];
      return { ...report, usable: isThere, findings, images: [] };
    }
    const trial = await trySandbox(connection, options, image);
    const images = trial.inside === undefined ? [] : [trial.inside];
    const usable = trial.findings.every(({ state }) => state !== "missing");
    return { ...report, usable, findings: [listed, ...trial.findings], images };
  } finally {
    connection.close();
  }
}

async function list(connection: Connection): Promise<Finding> {
  const name = "service";
  try {
    const signal = AbortSignal.timeout(LIST_SECONDS * 1000);
    let active = false;
    for await (const _ of Sandbox.list({ connection, signal })) {
      active = true;
      break;
    }
    const some = active ? "there are active sandboxes" : "there is no active sandbox";
    return { name, state: "ok", detail: `${connection.baseUrl} takes the key; ${some}` };
  } catch (error) {
    const detail = error instanceof Error ? error.message.replaceAll("\n", " ") : String(error);
    return { name, state: "missing", detail };
  }
}

function offer(image: string, servedLocally: boolean): Finding {
  return {
    name: "sandbox",
    state: "ok",
    detail: servedLocally
      ? `none was made: whether one of ${image} works there shows when one is`
      : `none was made: one of ${image} would be billed for some seconds (at most 120, its lifetime), ` +
        "and counts against the quota meanwhile",
    remedy: "tidybox doctor --run makes it, runs commands in it and stops it.",
  };
}
