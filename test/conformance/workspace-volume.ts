import { Code } from "@connectrpc/connect";
import { ErrorReason } from "@tidybox/protocol";
import { expect } from "vitest";
import { refusalOf } from "../../packages/local/src/testing/test-service.ts";
import type { Exception, SentenceOptions } from "./contract.ts";
import { createAsSdk, keepAlive, type SdkCreate } from "./sdk-dialects.ts";

/** The convenience option of both SDKs: one scratch volume, of which nothing else is said. */
export const WITH_WORKSPACE: SdkCreate = {
  container: { volumeMounts: [{ volume: "workspace", mountPath: "/workspace" }] },
  spec: { volumes: [{ name: "workspace", source: { case: "scratch", value: {} } }] },
};

const REFUSED: Exception = {
  cannot: "have volumes, nor snapshots of them",
  instead: async (context) => {
    const refusal = await refusalOf(createAsSdk(context, keepAlive("-c"), WITH_WORKSPACE));
    expect(refusal).toMatchObject({
      code: Code.FailedPrecondition,
      reason: ErrorReason.NO_SUITABLE_RUNNER,
      message: expect.stringContaining("volumes"),
    });
  },
};

/** For sentences that are about volumes. */
export const NEEDS_VOLUMES: SentenceOptions = { unless: { process: REFUSED } };
