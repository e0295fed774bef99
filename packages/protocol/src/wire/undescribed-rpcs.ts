/**
 * Unary RPCs of the package `coreweave.sandbox.v1` whose names are known and whose messages are not
 * (reference, Appendix A), by service. There is no generated code for them.
 */
export const UNDESCRIBED_RPCS = {
  SettingsService: [
    "GetObjectStorageWifConfig",
    "UpdateObjectStorageWifConfig",
    "DeleteObjectStorageWifConfig",
    "CreateSecretStore",
    "GetSecretStore",
    "ListSecretStores",
    "UpdateSecretStore",
    "DeleteSecretStore",
  ],
  SandboxTemplateService: [
    "CreateSandboxTemplate",
    "GetSandboxTemplate",
    "ListSandboxTemplates",
    "UpdateSandboxTemplate",
    "DeleteSandboxTemplate",
  ],
  VolumeService: [
    "CreateVolume",
    "GetVolume",
    "ListVolumes",
    "UpdateVolume",
    "DeleteVolume",
    "ValidateVolume",
  ],
} as const satisfies Readonly<Record<string, readonly string[]>>;
