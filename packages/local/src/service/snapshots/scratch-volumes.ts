import { Code } from "@connectrpc/connect";
import { ErrorReason, type SandboxSpec } from "@tidybox/protocol";
import { failure, invalidArgument } from "../failures.ts";

/** Throws unless each of the names is a scratch volume of the spec. */
export function checkScratchVolumes(
  spec: SandboxSpec,
  names: readonly string[],
  field: string,
): void {
  for (const name of names) {
    const volume = spec.volumes.find((each) => each.name === name);
    if (volume === undefined) {
      const description = `names no volume of the sandbox: ${JSON.stringify(name)}`;
      throw invalidArgument([{ field, description }]);
    }
    if (volume.source.case === "volumeId") {
      throw failure(
        Code.FailedPrecondition,
        ErrorReason.VOLUME_NOT_SNAPSHOTTABLE,
        `volume ${name} is a registered one: only scratch volumes have snapshots`,
      );
    }
  }
}

/** The volume that is meant: the one that is named, or else the only one. */
export function scratchVolumeOf(spec: SandboxSpec, name: string): string {
  const field = "scratch_volume_name";
  if (name !== "") {
    checkScratchVolumes(spec, [name], field);
    return name;
  }
  const scratch = spec.volumes.filter(({ source }) => source.case !== "volumeId");
  const [only] = scratch;
  if (only !== undefined && scratch.length === 1) return only.name;
  const description =
    only === undefined
      ? "the sandbox has no scratch volume"
      : `must name one of ${scratch.map((volume) => volume.name).join(", ")}`;
  throw invalidArgument([{ field, description }]);
}

/** Which volumes of a spec begin with which snapshot. */
export function restoresOf(
  spec: SandboxSpec,
): readonly { readonly volume: string; readonly snapshotId: string }[] {
  return spec.volumes.flatMap(({ name, source }) =>
    source.case === "scratch" && source.value.restoreFromSnapshotId !== ""
      ? [{ volume: name, snapshotId: source.value.restoreFromSnapshotId }]
      : [],
  );
}
