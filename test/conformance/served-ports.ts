import { once } from "node:events";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import type { Sandbox } from "@tidybox/protocol";
import { pause, type specOf } from "../../packages/local/src/testing/test-service.ts";

type ContainerInit = NonNullable<Parameters<typeof specOf>[0]>;

/** A main process that says `word` to whoever connects; needs perl, or else busybox. */
export function saying(word: string, port: number): ContainerInit {
  const script = `if command -v perl >/dev/null; then exec perl -MIO::Socket::INET -e '
      my $server = IO::Socket::INET->new(Listen => 5, LocalPort => ${port}, ReuseAddr => 1) or die;
      while (my $peer = $server->accept) { print $peer "${word}"; close($peer) }'
    fi
    printf '#!/bin/sh\nprintf ${word}' > /tmp/say && chmod +x /tmp/say
    exec nc -ll -p ${port} -e /tmp/say`;
  return { command: "/bin/sh", args: ["-c", script] } as ContainerInit;
}

/** What the other end says; retried until it listens. The case's own timeout bounds it. */
export async function heardAt(url: string): Promise<string> {
  const { hostname, port } = new URL(url);
  for (;;) {
    const socket = connect({ host: hostname, port: Number(port) });
    try {
      await once(socket, "connect");
      const heard = await text(socket);
      if (heard !== "") return heard;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ECONNRESET") throw error;
    } finally {
      socket.destroy();
    }
    await pause(20);
  }
}

/** Of a port in a sandbox's status; empty where there is none. */
export function urlOf({ status }: Sandbox, port: number): string {
  return status?.services.find((service) => service.port === port)?.url ?? "";
}
