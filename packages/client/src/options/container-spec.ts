import { create } from "@bufbuild/protobuf";
import {
  type Container,
  ContainerSchema,
  type FileMount,
  FileMountSchema,
  type SecretStoreReference,
  SecretStoreReferenceSchema,
} from "@tidybox/protocol";
import {
  checkAbsolutePath,
  checkCommand,
  checkEnvironment,
  checkText,
  checkUnique,
} from "./checks.ts";
import type { ContainerOptions } from "./container-options.ts";
import { invalidOption } from "./invalid-option.ts";
import { toResourceRequirements } from "./resource-spec.ts";
import type { SecretOptions } from "./secret-options.ts";

/** @param at how the message calls the container's options, such as `containers[0].`; `""` for main */
export function toContainer(options: ContainerOptions, at: string): Container {
  const { command, environment = {}, workingDirectory, secrets = [] } = options;
  checkText(options.name, `${at}name`);
  checkText(options.image, at === "" ? "containerImage" : `${at}image`);
  if (command !== undefined) checkCommand(command, `${at}command`);
  checkEnvironment(environment, `${at}environment`);
  if (workingDirectory !== undefined) checkAbsolutePath(workingDirectory, `${at}workingDirectory`);
  const [program = "", ...args] = command ?? [];
  const container = create(ContainerSchema, {
    name: options.name,
    image: options.image,
    command: program,
    args,
    environmentVariables: { ...environment },
    workingDir: workingDirectory ?? "",
    files: toFileMounts(options.files ?? {}, `${at}files`),
    secretStores: toSecretStores(secrets, environment, `${at}secrets`),
    volumeMounts: (options.volumeMounts ?? []).map(({ volume, mountPath, readOnly, subPath }) => ({
      volume,
      mountPath,
      readOnly: readOnly ?? false,
      subPath: subPath ?? "",
    })),
  });
  if (options.resources !== undefined) {
    container.resourceRequirements = toResourceRequirements(options.resources, `${at}resources`);
  }
  applySecurity(container, options);
  return container;
}

function applySecurity(container: Container, options: ContainerOptions): void {
  const { securityContext: security, imagePullCredentials: pull } = options;
  if (security !== undefined) {
    const { capabilitiesAdd = [], capabilitiesDrop = [], seccompProfile = "", ...rest } = security;
    container.securityContext = create(ContainerSchema, {
      securityContext: {
        ...withoutUndefined(rest),
        capabilitiesAdd: [...capabilitiesAdd],
        capabilitiesDrop: [...capabilitiesDrop],
        seccompProfile,
      },
    }).securityContext;
  }
  if (pull !== undefined) {
    container.imagePullCredentials = create(ContainerSchema, {
      imagePullCredentials: {
        registry: pull.registry,
        credentials: { storeName: pull.store, path: pull.name, field: pull.field ?? "" },
      },
    }).imagePullCredentials;
  }
}

function toFileMounts(
  files: Readonly<Record<string, string | Uint8Array>>,
  option: string,
): FileMount[] {
  const encoder = new TextEncoder();
  return Object.entries(files).map(([path, content]) => {
    checkAbsolutePath(path, `${option}[${JSON.stringify(path)}]`);
    if (path.endsWith("/"))
      throw invalidOption(option, `must name files, not a directory: ${JSON.stringify(path)}`);
    if (typeof content !== "string" && !(content instanceof Uint8Array)) {
      throw invalidOption(
        `${option}[${JSON.stringify(path)}]`,
        "must be a text or bytes (Uint8Array)",
      );
    }
    return create(FileMountSchema, {
      path,
      content: typeof content === "string" ? encoder.encode(content) : content,
    });
  });
}

/** References grouped by store, in the order of their first mention. */
function toSecretStores(
  secrets: readonly SecretOptions[],
  environment: Readonly<Record<string, string>>,
  option: string,
): SecretStoreReference[] {
  const stores = new Map<string, SecretStoreReference>();
  const variables: string[] = [];
  for (const [index, { store, name, field, environmentVariable = name }] of secrets.entries()) {
    checkText(store, `${option}[${index}].store`);
    checkText(name, `${option}[${index}].name`);
    checkText(environmentVariable, `${option}[${index}].environmentVariable`);
    if (Object.hasOwn(environment, environmentVariable)) {
      throw invalidOption(
        `${option}[${index}]`,
        `fills ${environmentVariable}, which environment sets already`,
      );
    }
    variables.push(environmentVariable);
    const reference = stores.get(store) ?? create(SecretStoreReferenceSchema, { storeName: store });
    reference.secrets.push(
      ...create(SecretStoreReferenceSchema, {
        secrets: [{ path: name, field: field ?? "", envVar: environmentVariable }],
      }).secrets,
    );
    stores.set(store, reference);
  }
  checkUnique(variables, `${option} (environment variables)`);
  return [...stores.values()];
}

type Defined<T> = { [Key in keyof T]: Exclude<T[Key], undefined> };

function withoutUndefined<T extends object>(options: T): Partial<Defined<T>> {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as Partial<Defined<T>>;
}
