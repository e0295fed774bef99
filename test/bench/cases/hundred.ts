import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { Session } from "@tidybox/client";
import { isTerminal, type SandboxSpec, SandboxService, State } from "@tidybox/protocol";
import { sideBySide, timed } from "../measure.ts";
import { describeSample, type Result } from "../report.ts";
import { startService } from "../service.ts";

const POLL_MILLISECONDS = 10;

/** Many sandboxes started and stopped by one session, against the same work by bare RPCs. */
export async function hundred(count: number, rounds: number): Promise<readonly Result[]> {
  await using service = await startService();
  const client = createClient(
    SandboxService,
    createGrpcTransport({
      baseUrl: service.connection.baseUrl,
      interceptors: [
        (next) => (request) => {
          request.header.set("authorization", `Bearer ${service.apiKey}`);
          return next(request);
        },
      ],
    }),
  );
  let spec: SandboxSpec | undefined;
  const bySession = async () => {
    const session = new Session({ connection: service.connection });
    const all = await Promise.all(Array.from({ length: count }, () => session.sandbox()));
    spec ??= all[0]?.record?.spec;
    await session.close({ gracefulShutdownSeconds: 0 });
  };
  const until = async (sandboxId: string, wanted: (state: State) => boolean): Promise<void> => {
    for (;;) {
      const { status } = await client.getSandbox({ sandboxId });
      if (wanted(status?.state ?? State.UNSPECIFIED)) return;
      await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS));
    }
  };
  const byBareCalls = async () => {
    const ids = await Promise.all(
      Array.from({ length: count }, async () => {
        const made = await client.createSandbox({ sandbox: { ...(spec && { spec }) } });
        await until(made.sandboxId, (state) => state === State.RUNNING);
        return made.sandboxId;
      }),
    );
    await Promise.all(
      ids.map(async (sandboxId) => {
        const { sandbox } = await client.deleteSandbox({ sandboxId });
        if (!isTerminal(sandbox?.status?.state ?? State.UNSPECIFIED))
          await until(sandboxId, isTerminal);
      }),
    );
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
