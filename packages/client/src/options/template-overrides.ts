import type { SandboxSpec } from "@tidybox/protocol";
import { invalidOption } from "./invalid-option.ts";
import type { SandboxOptions } from "./sandbox-options.ts";
import { toSandboxSpec } from "./sandbox-spec.ts";

/** Options of the one main container, which only a whole container can carry. */
const OF_MAIN = [
  "containerImage",
  "command",
  "environment",
  "workingDirectory",
  "files",
  "resources",
  "secrets",
  "securityContext",
  "containers",
] as const satisfies readonly (keyof SandboxOptions)[];

/**
 * What takes the place of parts of a template, checked as for a sandbox; what is not given is not in
 * it. The wire replaces and never merges, `containers` as one list, and refuses a container without
 * an image (reference 3.16): so an option of the container needs `containerImage`.
 *
 * @throws ConfigurationError that names the option
 */
export function toTemplateOverrides(options: SandboxOptions): SandboxSpec {
  const mount = options.volumes?.find(({ mountPath }) => mountPath !== undefined);
  const given = OF_MAIN.find((name) => options[name] !== undefined);
  const replacesContainers = given !== undefined || mount !== undefined;
  if (options.imagePullCredentials !== undefined)
    throw invalidOption("imagePullCredentials", "cannot be given beside a template");
  if (replacesContainers && options.containerImage === undefined) {
    const what = given ?? "volumes (mountPath)";
    throw invalidOption(
      what,
      "takes the place of the template's containers, and so needs containerImage",
      "Give containerImage (and command) too, or leave it out to keep the template's containers.",
    );
  }
  const { primaryContainer, ...rest } = options;
  const spec = toSandboxSpec(replacesContainers ? options : rest);
  if (replacesContainers) return spec;
  spec.containers = [];
  spec.primaryContainer = primaryContainer ?? "";
  return spec;
}
