import { Connection } from "@tidybox/client";
import { preloadWire } from "@tidybox/client/internal";
import type { ResolvedConfig } from "@tidybox/fixtures";
import { type LocalNotice, type LocalService, startLocalService } from "@tidybox/local";
import { limitFindings, processLimit } from "./limits.ts";
import { machineFindings } from "./machine.ts";
import { isolationFindings } from "./isolation.ts";
import { networkFinding } from "./network.ts";
import type { DoctorReport, Finding, InsideImage } from "./report.ts";
import { type Trial, trySandbox } from "./try-sandbox.ts";

/** What the findings about limits and images say in more words. */
const SAID_ELSEWHERE: readonly string[] = ["resources_not_enforced", "image_not_mapped"];

/**
 * Starts the service as a run would, with a sandbox of each image in it, and some that are held back.
 * This process gives root up.
 */
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
    return { ...report, usable: false, engine: undefined, images: [] };
  }
  const connection = new Connection({ baseUrl: service.baseUrl, apiKey: service.token });
  const { engine } = service;
  const mapped = local.images ?? {};
  try {
    // Both asked for, so that the service says what it does not enforce.
    const resources = { cpu: "500m", memory: "256Mi" };
    const look = (sandbox: Parameters<typeof processLimit>[0]) => processLimit(sandbox, engine);
    const trial = await trySandbox(connection, { resources }, image, look);
    findings.push(...trial.findings, ...isolationFindings(engine));
    const usable = trial.findings.every(({ state }) => state !== "missing");
    const trials: Trial[] = [trial];
    if (usable) {
      findings.push(...(await limitFindings(connection, engine, image, notices)));
      findings.push(await networkFinding(connection, image));
      for (const other of Object.keys(mapped).filter((name) => name !== image)) {
        const tried = await trySandbox(connection, {}, other);
        trials.push(tried);
        findings.push(...failuresOf(other, tried));
      }
    }
    findings.push(...told(notices));
    const asked = local.engine ?? "auto";
    const how = asked === "auto" ? "the best that works here" : "as configured";
    const images = trials
      .flatMap(({ inside }) => inside ?? [])
      .map((each) => ({ ...each, ...rootOf(each.image, engine, mapped) }));
    return { ...report, usable, engine: `${engine} (${how})`, images };
  } finally {
    connection.close();
    await service.close();
  }
}

/** One image that does not work takes nothing from the others. */
function failuresOf(image: string, { findings }: Trial): readonly Finding[] {
  return findings
    .filter(({ state }) => state === "missing")
    .map((finding) => ({ ...finding, name: `image ${image}`, state: "weaker" }));
}

function rootOf(
  image: string,
  engine: LocalService["engine"],
  mapped: Readonly<Record<string, string>>,
): Pick<InsideImage, "root" | "remedy"> {
  const own = mapped[image];
  if (engine === "docker") {
    const root = own === undefined ? "as Docker has it" : `the image ${own} in Docker`;
    return { root, remedy: "Build an image that has it, or use another one." };
  }
  if (own !== undefined && engine === "bubblewrap")
    return { root: own, remedy: `Unpack an image that has it to ${own}.` };
  return {
    root: "this machine's own programs",
    remedy:
      "Install it on this machine (Debian, Ubuntu: apt-get install bash python3 python3-pip nodejs npm git curl tar gcc), " +
      "or map the image to an unpacked one (local.images, tidybox serve --image), or use the engine docker.",
  };
}

/** The rest of what the service says by itself. */
function told(notices: readonly LocalNotice[]): readonly Finding[] {
  return notices
    .filter(({ code }) => !SAID_ELSEWHERE.includes(code))
    .map(({ code, message }) => ({
      name: code.replaceAll("_", " "),
      state: "weaker",
      detail: message,
    }));
}
