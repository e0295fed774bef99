import { Sandbox } from "@tidybox/client";
import { startBareSpawner } from "../bare.ts";
import { sideBySide, timed } from "../measure.ts";
import { rawClient } from "../raw-client.ts";
import { describeRatio, describeSample, type Result } from "../report.ts";
import { startService } from "../service.ts";

const TRUE = "/usr/bin/true";

/** Exec of `true` in a running sandbox, one right after the other, against a bare spawn of it. */
export async function exec(rounds: number): Promise<readonly Result[]> {
  await using service = await startService();
  using bare = startBareSpawner();
  await using sandbox = await Sandbox.run({
    connection: service.connection,
    network: { denyEgress: true },
  });
  const client = rawClient(service);
  const byClient = () => sandbox.exec([TRUE], { check: true });
  const byWire = async () => {
    const { exitCode } = await client.exec({ sandboxId: sandbox.id, command: [TRUE] });
    if (exitCode !== 0) throw new Error(`true ended with ${exitCode}`);
  };
  const against = async (how: string, once: () => Promise<unknown>): Promise<Result> => {
    const samples = await sideBySide(
      [
        { name: `exec of true ${how}`, once: () => timed(once) },
        { name: "bare spawn true", once: () => bare.run([TRUE]) },
      ],
      rounds,
      20,
    );
    const [ours, spawned] = samples;
    return {
      name: `exec of true in a running sandbox ${how}, against a bare spawn`,
      value: (ours?.medianMs ?? Number.NaN) / (spawned?.medianMs ?? Number.NaN),
      unit: "×",
      limit: 3,
      figures: [...samples.map(describeSample), describeRatio(ours, spawned)],
      samples,
    };
  };
  return [await against("by the client", byClient), await against("by a bare RPC", byWire)];
}
