import type { ProjectOptions } from "@tidybox/fixtures/runner";

/** What we read of the configuration that Jest hands to its hooks and environments. */
export interface JestProjectConfig {
  readonly rootDir: string;
  readonly testEnvironmentOptions: Readonly<Record<string, unknown>>;
  readonly displayName?: { readonly name: string } | undefined;
}

/** The project's options of ours, and how messages call them. */
export function projectOptions(config: JestProjectConfig): ProjectOptions {
  const { rootDir, displayName, testEnvironmentOptions } = config;
  const where = displayName === undefined ? "" : ` in project "${displayName.name}"`;
  return {
    root: rootDir,
    options: testEnvironmentOptions["tidybox"] ?? {},
    optionsSource: `testEnvironmentOptions.tidybox${where}`,
  };
}
