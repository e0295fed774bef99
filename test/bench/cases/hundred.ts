import { Session } from "@tidybox/client";
import type { SandboxSpec } from "@tidybox/protocol";
import { sideBySide, timed } from "../measure.ts";
import { createRunning, deleteEnded, idleSpec, rawClient } from "../raw-client.ts";
import { describeSample, type Result } from "../report.ts";
import { startService } from "../service.ts";

/** Many sandboxes started and stopped by one session, against the same work by bare RPCs. */
export async function hundred(count: number, rounds: number): Promise<readonly Result[]> {
  await using service = await startService();
  const client = rawClient(service);
  let spec: SandboxSpec | undefined;
  const bySession = async () => {
    const session = new Session({ connection: service.connection });
    const all = await Promise.all(Array.from({ length: count }, () => session.sandbox()));
    spec ??= all[0]?.record?.spec;
    await session.close({ gracefulShutdownSeconds: 0 });
  };
  const byBareCalls = async () => {
    const ids = await Promise.all(
      Array.from({ length: count }, () => createRunning(client, spec ?? idleSpec({}))),
    );
    await Promise.all(ids.map((id) => deleteEnded(client, id)));
  };
  // Also for the spec, which both then share.
  await bySession();
  const samples = await sideBySide(
    [
      { name: `${count} by one session`, once: () => timed(bySession) },
      { name: `${count} by bare RPCs`, once: () => timed(byBareCalls) },
    ],
    rounds,
    1,
  );
  const [session, bare] = samples;
  return [
    {
      name: `${count} sandboxes started and stopped by one session, against bare RPCs`,
      value: (session?.medianMs ?? Number.NaN) / (bare?.medianMs ?? Number.NaN),
      unit: "×",
      limit: 1.5,
      figures: samples.map(describeSample),
      samples,
    },
  ];
}
