import { once } from "node:events";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import * as v from "valibot";

const SOCKET_FILE = "access.sock";
const ANSWER_SECONDS = 2;
const MAX_ANSWER_BYTES = 64 * 1024;

const AccessSchema = v.object({
  baseUrl: v.pipe(v.string(), v.url()),
  token: v.string(),
  pid: v.number(),
  label: v.optional(v.string()),
});

/** How to reach a service; handed out over a socket so that no secret is ever in a file. */
export type Access = v.InferOutput<typeof AccessSchema>;

/** Tells whoever can open the folder (this account, or root) how to reach the service. */
export async function serveAccess(folder: string, access: Access): Promise<{ close(): void }> {
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.setTimeout(ANSWER_SECONDS * 1000, () => socket.destroy());
    socket.end(JSON.stringify(access));
  });
  server.listen(join(folder, SOCKET_FILE));
  await once(server, "listening");
  server.unref();
  return { close: () => server.close() };
}

/** Asks the service that owns the folder; undefined when none answers. */
export function askAccess(folder: string): Promise<Access | undefined> {
  return new Promise((resolve) => {
    const socket = connect(join(folder, SOCKET_FILE));
    let text = "";
    const settle = (access?: Access): void => {
      socket.destroy();
      resolve(access);
    };
    const deadline = setTimeout(settle, ANSWER_SECONDS * 1000);
    socket.once("close", () => {
      clearTimeout(deadline);
      resolve(undefined);
    });
    socket.on("error", () => settle());
    socket.setEncoding("utf8").on("data", (part: string) => {
      text += part;
      if (text.length > MAX_ANSWER_BYTES) settle();
    });
    socket.once("end", () => settle(parseAccess(text)));
  });
}

function parseAccess(text: string): Access | undefined {
  try {
    const parsed = v.safeParse(AccessSchema, JSON.parse(text));
    return parsed.success ? parsed.output : undefined;
  } catch {
    return undefined;
  }
}
