import { Connection } from "@tidybox/client";
import { preloadWire } from "@tidybox/client/internal";
import type { ResolvedConfig } from "@tidybox/fixtures";
import { type LocalNotice, type LocalService, startLocalService } from "@tidybox/local";
import { machineFindings } from "./machine.ts";
import type { DoctorReport, Finding } from "./report.ts";
import { trySandbox } from "./try-sandbox.ts";
import { unbounded } from "./unbounded.ts";

/** Starts the service as a run would, with one sandbox in it. This process gives root up. */
export async function examineLocal(
  { backend, backendReason, local }: ResolvedConfig,
  image: string,
): Promise<DoctorReport> {
  const findings: Finding[] = [...(await machineFindings())];
  const report = { backend, backendReason, findings } as const;
  const notices: LocalNotice[] = [];
  // A service of root may not read this installation afterwards.
  await preloadWire();
  let service: LocalService;
  try {
    service = await startLocalService({
      ...local,
      label: "tidybox doctor",
      onNotice: (notice) => void notices.push(notice),
    });
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    findings.push({ name: "local service", state: "missing", detail });
    return { ...report, usable: false, engine: undefined, inside: undefined };
  }
  const connection = new Connection({ baseUrl: service.baseUrl, apiKey: service.token });
  try {
    // Both asked for, so that the service says what it does not enforce.
    const resources = { cpu: "500m", memory: "256Mi" };
    const trial = await trySandbox(connection, { resources }, image);
    findings.push(
      ...trial.findings,
      limits(notices),
      ...unbounded(service.engine),
      ...told(notices),
    );
    const usable = trial.findings.every(({ state }) => state !== "missing");
    const asked = local.engine ?? "auto";
    const engine = `${service.engine} (${asked === "auto" ? "the best that works here" : "as configured"})`;
    return { ...report, usable, engine, inside: trial.inside };
  } finally {
    connection.close();
    await service.close();
  }
}

function limits(notices: readonly LocalNotice[]): Finding {
  const name = "limits";
  const notice = notices.find(({ code }) => code === "resources_not_enforced");
  if (notice === undefined)
    return { name, state: "ok", detail: "cpu and memory were accepted without a reservation" };
  return {
    name,
    state: "weaker",
    detail: notice.message,
    remedy: "Bound the whole run from outside (a container, systemd-run) where it matters.",
  };
}

/** The rest of what the service says by itself. */
function told(notices: readonly LocalNotice[]): readonly Finding[] {
  return notices
    .filter(({ code }) => code !== "resources_not_enforced")
    .map(({ code, message }) => ({
      name: code.replaceAll("_", " "),
      state: "weaker",
      detail: message,
    }));
}
