import { create, createFileRegistry, type DescService } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, file_google_protobuf_empty } from "@bufbuild/protobuf/wkt";
import type { ConnectRouter, Interceptor, ServiceImpl } from "@connectrpc/connect";
import { UNDESCRIBED_RPCS } from "@tidybox/protocol";
import { notImplemented } from "../failures.ts";

const PACKAGE = "coreweave.sandbox.v1";
const EMPTY_FILE = "google/protobuf/empty.proto";

type ServiceName = keyof typeof UNDESCRIBED_RPCS;

/** What does the work of each of them here. */
const INSTEAD: Readonly<Record<ServiceName, string>> = {
  SettingsService:
    "Secret stores come from the file given as `secretsFile` (`tidybox serve --secrets`); there is no object storage.",
  SandboxTemplateService:
    "Templates come from the option `templates` (`tidybox serve --template`), and CreateSandboxFromTemplate uses them.",
  VolumeService:
    "Registered volumes come from the option `volumes` (`tidybox serve --volume`), and sandboxes mount them by volume_id.",
};

/**
 * Answers, in words, the RPCs whose messages nobody outside the platform knows; nothing is ever
 * answered but the refusal.
 */
export function undescribedServices(
  router: ConnectRouter,
  options: { readonly interceptors: Interceptor[] },
): void {
  for (const service of undescribedDescriptors()) {
    const refuse = (rpc: string) => (): never => {
      const instead = INSTEAD[service.name as ServiceName];
      throw notImplemented(
        `the local service does not have ${service.name}.${rpc}: its messages are not published. ${instead}`,
      );
    };
    const refusals = service.methods.map(({ localName, name }) => [localName, refuse(name)]);
    const implementation = Object.fromEntries(refusals) as Partial<ServiceImpl<DescService>>;
    router.service(service, implementation, options);
  }
}

/** Their messages stand as empty ones, which let any field of a request pass unread. */
export function undescribedDescriptors(): readonly DescService[] {
  const empty = ".google.protobuf.Empty";
  const file = create(FileDescriptorProtoSchema, {
    name: "tidybox/undescribed.proto",
    package: PACKAGE,
    syntax: "proto3",
    dependency: [EMPTY_FILE],
    service: Object.entries(UNDESCRIBED_RPCS).map(([name, rpcs]) => ({
      name,
      method: rpcs.map((rpc) => ({ name: rpc, inputType: empty, outputType: empty })),
    })),
  });
  const registry = createFileRegistry(file, (name) =>
    name === EMPTY_FILE ? file_google_protobuf_empty : undefined,
  );
  return [...registry].filter((each) => each.kind === "service");
}
