import { sh } from "../../packages/local/src/testing/test-service.ts";
import type { CaseContext } from "./contract.ts";
import { folderOf } from "./inside-sandbox.ts";
import { running } from "./sandboxes.ts";

/** The file calls of one sandbox, by paths that its commands know too. */
export async function filesOf(context: CaseContext) {
  const { sandboxes } = context.bed;
  const sandboxId = await running(context);
  return {
    sandboxId,
    folder: await folderOf(sandboxes, sandboxId),
    write: (path: string, content: string | Uint8Array) =>
      sandboxes.writeFile({ sandboxId, path, content: Buffer.from(content) }),
    read: async (path: string): Promise<Buffer> =>
      Buffer.from((await sandboxes.readFile({ sandboxId, path })).content),
    inside: async (script: string): Promise<string> =>
      (await sh(sandboxes, sandboxId, script)).stdout,
  };
}
