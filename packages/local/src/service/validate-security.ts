import type { Container } from "@tidybox/protocol";
import type { Check } from "./failures.ts";

/** As the kernel names them, without the `CAP_`; `ALL` is all of them. */
const CAPABILITY = /^[A-Z][A-Z0-9_]*$/;

const SECCOMP_PROFILES = ["", "RuntimeDefault", "Unconfined"];

/** What is wrong with a container's security context and references to secrets in themselves. */
export function checkSecurity(container: Container, check: Check): void {
  const { securityContext, secretStores, imagePullCredentials } = container;
  if (securityContext !== undefined) {
    const { capabilitiesAdd, capabilitiesDrop, seccompProfile } = securityContext;
    const lists = { capabilities_add: capabilitiesAdd, capabilities_drop: capabilitiesDrop };
    for (const [name, capabilities] of Object.entries(lists)) {
      for (const [index, capability] of capabilities.entries()) {
        check(
          CAPABILITY.test(capability),
          `security_context.${name}[${index}]`,
          `must be a capability such as NET_ADMIN: ${JSON.stringify(capability)}`,
        );
      }
    }
    check(
      SECCOMP_PROFILES.includes(seccompProfile),
      "security_context.seccomp_profile",
      `must be RuntimeDefault or Unconfined: ${JSON.stringify(seccompProfile)}`,
    );
  }
  for (const [at, { storeName, secrets }] of secretStores.entries()) {
    const store = `secret_stores[${at}]`;
    check(storeName !== "", `${store}.store_name`, "must not be empty");
    check(secrets.length > 0, `${store}.secrets`, "must have at least one entry");
    for (const [index, { path, envVar }] of secrets.entries()) {
      check(path !== "", `${store}.secrets[${index}].path`, "must not be empty");
      check(envVar !== "", `${store}.secrets[${index}].env_var`, "must not be empty");
    }
  }
  if (imagePullCredentials === undefined) return;
  const { registry, credentials } = imagePullCredentials;
  check(registry !== "", "image_pull_credentials.registry", "must not be empty");
  check(
    credentials !== undefined && credentials.storeName !== "" && credentials.path !== "",
    "image_pull_credentials.credentials",
    "must have store_name and path",
  );
}
