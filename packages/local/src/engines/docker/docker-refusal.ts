import type { EngineRefusal, SandboxPlan } from "../engine.ts";

/** What a plan asks for that Docker does not give. */
export function dockerRefusal(plan: SandboxPlan): EngineRefusal | undefined {
  if (plan.mounts.some(({ subPath }) => subPath !== "")) {
    return {
      kind: "wrong_engine",
      field: "sandbox.spec.containers[0].volume_mounts",
      message:
        'the engine "docker" cannot mount a part of a volume (sub_path): use the engine "bubblewrap", or mount the whole volume.',
    };
  }
  if (plan.denyEgress && (plan.publish ?? []).length > 0) {
    return {
      kind: "wrong_engine",
      field: "sandbox.spec.services",
      message:
        'the engine "docker" cannot publish ports of a sandbox whose egress is denied: Docker publishes them from a network that leads out. ' +
        'Use the engine "bubblewrap", or leave deny_egress out.',
    };
  }
  return undefined;
}
