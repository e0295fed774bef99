import { Sandbox } from "@tidybox/client";
import { startBareServer } from "../bare-client.ts";
import { bareBubblewrap, startBareSpawner } from "../bare.ts";
import { type Sample, sideBySide, summarize, timed } from "../measure.ts";
import { createRunning, deleteEnded, idleSpec, rawClient } from "../raw-client.ts";
import { describeRatio, describeSample, type Result } from "../report.ts";
import { startService } from "../service.ts";

const TRUE = "/usr/bin/true";

/** The service makes the next spare, and removes folders: else the neighbours would pay for that. */
const PAUSE_MILLISECONDS = 40;

/**
 * Create, running, first exec, stop, over the wire: against one bare `bwrap` that runs the command,
 * and against that with three calls of a bare Connect server.
 */
export async function lifecycle(rounds: number): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (const denyEgress of [false, true]) results.push(...(await lifecycleOf(rounds, denyEgress)));
  return results;
}

async function lifecycleOf(rounds: number, denyEgress: boolean): Promise<readonly Result[]> {
  await using service = await startService();
  using bare = startBareSpawner();
  using server = await startBareServer();
  const client = rawClient(service);
  const phases = { create: [] as number[], exec: [] as number[], stop: [] as number[] };
  const byClient = async () => {
    const started = performance.now();
    const sandbox = await Sandbox.run({
      connection: service.connection,
      network: { denyEgress },
    });
    const created = performance.now();
    await sandbox.exec(["true"], { check: true });
    const executed = performance.now();
    await sandbox.stop({ gracefulShutdownSeconds: 0 });
    const stopped = performance.now();
    phases.create.push(created - started);
    phases.exec.push(executed - created);
    phases.stop.push(stopped - executed);
    return stopped - started;
  };
  const byWire = async (workingDirectory?: string) => {
    const spec = idleSpec({ denyEgress, ...(workingDirectory && { workingDirectory }) });
    const sandboxId = await createRunning(client, spec);
    const { exitCode } = await client.exec({ sandboxId, command: [TRUE] });
    if (exitCode !== 0) throw new Error(`true ended with ${exitCode}`);
    await deleteEnded(client, sandboxId);
  };
  const bubblewrap = () => bare.run(bareBubblewrap([TRUE], denyEgress));
  const threeCalls = async () => {
    for (let call = 0; call < 3; call += 1) await server.unary();
  };
  const samples = await sideBySide(
    [
      { name: "create, exec, stop by the client", once: byClient },
      { name: "create, exec, delete by bare RPCs", once: () => timed(byWire) },
      // No spare is made for a working directory of one's own.
      { name: "the same where no spare waits", once: () => timed(() => byWire("/tmp")) },
      { name: "bare bwrap true", once: bubblewrap },
      {
        name: "bare bwrap true, and three bare unary calls",
        once: async () => (await bubblewrap()) + (await timed(threeCalls)),
      },
      { name: "bare spawn true", once: () => bare.run([TRUE]) },
    ],
    rounds,
    10,
    PAUSE_MILLISECONDS,
  );
  const [ours, wire, spareless, bwrap, withCalls] = samples;
  const figures = samples.map(describeSample);
  const suffix = denyEgress ? " (egress denied)" : "";
  const ratio = (of: Sample | undefined, to: Sample | undefined): number =>
    (of?.medianMs ?? Number.NaN) / (to?.medianMs ?? Number.NaN);
  return [
    {
      name: `create → running → first exec → stop by the client, against a bare bwrap${suffix}`,
      value: ratio(ours, bwrap),
      unit: "×",
      limit: 3,
      figures: [
        ...figures,
        `by the client: ${Object.entries(phases)
          .map(([phase, times]) => `${phase} ${summarize(phase, times).medianMs.toFixed(2)} ms`)
          .join(", ")}`,
      ],
      samples,
    },
    {
      name: `create → running → exec → delete over the wire, against a bare bwrap and three unary calls${suffix}`,
      value: ratio(wire, withCalls),
      unit: "×",
      limit: 2,
      figures: [
        describeRatio(wire, withCalls),
        describeRatio(ours, withCalls),
        describeRatio(spareless, withCalls),
      ],
      samples,
    },
  ];
}
