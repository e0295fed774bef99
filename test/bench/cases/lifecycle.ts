import { Sandbox } from "@tidybox/client";
import { bareBubblewrap, startBareSpawner } from "../bare.ts";
import { sideBySide, summarize, timed } from "../measure.ts";
import { type Result, describeSample } from "../report.ts";
import { startService } from "../service.ts";

/** Create, running, first exec, stop, over the wire, against one bare `bwrap` that runs the command. */
export async function lifecycle(rounds: number): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (const denyEgress of [false, true]) {
    await using service = await startService();
    using bare = startBareSpawner();
    const phases = { create: [] as number[], exec: [] as number[], stop: [] as number[] };
    const ours = async () => {
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
    const samples = await sideBySide(
      [
        { name: "create, exec, stop over the wire", once: ours },
        {
          name: "bare bwrap true",
          once: () => bare.run(bareBubblewrap(["/usr/bin/true"], denyEgress)),
        },
        { name: "bare spawn true", once: () => bare.run(["/usr/bin/true"]) },
      ],
      rounds,
      10,
    );
    const [wire, bwrap] = samples;
    results.push({
      name: `create → running → first exec → stop, against a bare bwrap${denyEgress ? " (egress denied)" : ""}`,
      value: (wire?.medianMs ?? Number.NaN) / (bwrap?.medianMs ?? Number.NaN),
      unit: "×",
      limit: 3,
      figures: [
        ...samples.map(describeSample),
        `of it: ${Object.entries(phases)
          .map(([phase, times]) => `${phase} ${summarize(phase, times).medianMs.toFixed(2)} ms`)
          .join(", ")}`,
      ],
      samples,
    });
  }
  return results;
}

/** Exec of `true` in a running sandbox, against a bare spawn of it. */
export async function exec(rounds: number): Promise<readonly Result[]> {
  await using service = await startService();
  using bare = startBareSpawner();
  await using sandbox = await Sandbox.run({
    connection: service.connection,
    network: { denyEgress: true },
  });
  const samples = await sideBySide(
    [
      {
        name: "sandbox.exec(true)",
        once: () => timed(() => sandbox.exec(["/usr/bin/true"], { check: true })),
      },
      { name: "bare spawn true", once: () => bare.run(["/usr/bin/true"]) },
    ],
    rounds,
    20,
  );
  const [ours, spawned] = samples;
  return [
    {
      name: "exec of true in a running sandbox, against a bare spawn",
      value: (ours?.medianMs ?? Number.NaN) / (spawned?.medianMs ?? Number.NaN),
      unit: "×",
      limit: 3,
      figures: samples.map(describeSample),
      samples,
    },
  ];
}
