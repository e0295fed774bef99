import { readFileSync } from "node:fs";
import { Code } from "@connectrpc/connect";
import { ErrorReason } from "@tidybox/protocol";
import { expect } from "vitest";
import { sh, type SpecInit, specOf } from "../../../packages/local/src/testing/test-service.ts";
import { type Exception, section, type SentenceOptions } from "../contract.ts";
import { expectSpecRefused, refuses } from "../refusals.ts";
import { running } from "../sandboxes.ts";
import { mounting } from "../volumes.ts";

type ContainerInit = NonNullable<Parameters<typeof specOf>[0]>;
type Security = NonNullable<ContainerInit["securityContext"]>;

const INVALID = { code: Code.InvalidArgument, reason: ErrorReason.INVALID_ARGUMENT };
const NOT_IMPLEMENTED = { code: Code.Unimplemented, reason: ErrorReason.NOT_IMPLEMENTED };
const AT = "containers[0].security_context";

const secured = (securityContext: Security): ContainerInit =>
  ({ securityContext }) as ContainerInit;

const refused = (securityContext: Security, field: string, cannot: string): Exception => ({
  cannot,
  instead: refuses(secured(securityContext), {}, { ...NOT_IMPLEMENTED, field: `${AT}.${field}` }),
});

const OF_ACCOUNT = "run a sandbox as another than the service's account";

export const securityContext = section("2.1", (says) => {
  const asRoot = { runAsUser: 0, runAsGroup: 0 };
  says(
    "user and group 0 are those that commands run as",
    async (context) => {
      const sandboxId = await running(context, secured(asRoot));
      const { stdout } = await sh(context.bed.sandboxes, sandboxId, "id -u; id -g");
      expect(stdout).toBe("0\n0\n");
    },
    { unless: { process: refused(asRoot, "run_as_user", OF_ACCOUNT) } },
  );

  const dropped = { capabilitiesDrop: ["ALL"], allowPrivilegeEscalation: false };
  says(
    "dropped capabilities are gone, and privileges are not got again",
    async (context) => {
      const sandboxId = await running(context, secured(dropped));
      const script = "grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status";
      const { stdout } = await sh(context.bed.sandboxes, sandboxId, script);
      expect(stdout.replaceAll(/\s+/g, " ").trim()).toBe(
        "CapEff: 0000000000000000 CapBnd: 0000000000000000 NoNewPrivs: 1",
      );
    },
    { unless: { process: refused(dropped, "capabilities_drop", OF_ACCOUNT) } },
  );

  const readOnly = { readOnlyRootFilesystem: true };
  says(
    "a read-only root can be written in its volumes only",
    async (context) => {
      const [container, rest] = mounting([{ name: "data" }], secured(readOnly));
      const sandboxId = await running(context, container, rest);
      const script =
        "for p in / /tmp /workspace /data; do echo x 2>/dev/null > $p/file && echo $p; done; :";
      const { stdout } = await sh(context.bed.sandboxes, sandboxId, script);
      expect(stdout).toBe("/data\n");
    },
    {
      unless: {
        process: refused(
          readOnly,
          "read_only_root_filesystem",
          "have a read-only root file system",
        ),
      },
    },
  );

  says(
    "(our choice) files cannot be written to a read-only root, and are refused with one",
    refuses(
      {
        securityContext: readOnly,
        files: [{ path: "/workspace/file", content: new Uint8Array() }],
      } as ContainerInit,
      {},
      { ...NOT_IMPLEMENTED, field: "containers[0].files" },
    ),
  );

  const missing: readonly (readonly [string, string, Security])[] = [
    ["a user other than root", "run_as_user", { runAsUser: 1000 }],
    ["a group other than root", "run_as_group", { runAsGroup: 1000 }],
    ["a privileged container", "privileged", { privileged: true }],
    ["privilege escalation", "allow_privilege_escalation", { allowPrivilegeEscalation: true }],
    ["an added capability", "capabilities_add", { capabilitiesAdd: ["NET_ADMIN"] }],
  ];
  for (const [what, field, context] of missing) {
    says(`(our choice) ${what} is refused, of every container`, async (given) => {
      const { securityContext: security } = secured(context) as { securityContext: object };
      const other = {
        name: "other",
        image: "python:3.11",
        command: "true",
        securityContext: security,
      };
      const main = { name: "main", image: "python:3.11" };
      const specs = {
        "containers[0]": specOf(secured(context)),
        "containers[1]": { containers: [main, other], primaryContainer: "main" } as SpecInit,
        "init_containers[0]": specOf({}, { initContainers: [other] } as SpecInit),
      };
      for (const [place, spec] of Object.entries(specs))
        await expectSpecRefused(given, spec, {
          ...NOT_IMPLEMENTED,
          field: `${place}.security_context.${field}`,
        });
    });
  }

  const inDocker: SentenceOptions = {
    unless: {
      docker: refused(
        { seccompProfile: "Unconfined" },
        "seccomp_profile",
        "run a sandbox without a seccomp profile",
      ),
    },
  };
  says(
    "the seccomp profile Unconfined filters no system calls",
    async (context) => {
      const sandboxId = await running(context, secured({ seccompProfile: "Unconfined" }));
      const script = "grep ^Seccomp: /proc/self/status";
      // None beyond the one that this machine may have for all of its processes.
      const [ofThisProcess] =
        /^Seccomp:.*\n/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
      expect((await sh(context.bed.sandboxes, sandboxId, script)).stdout).toBe(ofThisProcess);
    },
    inDocker,
  );

  const noProfile = refused(
    { seccompProfile: "RuntimeDefault" },
    "seccomp_profile",
    "run a sandbox with a seccomp profile",
  );
  says(
    "the seccomp profile RuntimeDefault filters system calls",
    async (context) => {
      const sandboxId = await running(context, secured({ seccompProfile: "RuntimeDefault" }));
      const { stdout } = await sh(
        context.bed.sandboxes,
        sandboxId,
        "grep ^Seccomp: /proc/self/status",
      );
      expect(stdout).toMatch(/2\n$/);
    },
    { unless: { bubblewrap: noProfile, "bubblewrap-user": noProfile, process: noProfile } },
  );

  says(
    "another seccomp profile is invalid",
    refuses(
      secured({ seccompProfile: "mine.json" }),
      {},
      {
        ...INVALID,
        field: `${AT}.seccomp_profile`,
      },
    ),
  );

  says(
    "(our choice) capabilities are named as the kernel does, without CAP_ and in capitals",
    async (context) => {
      for (const [name, security] of [
        ["capabilities_add", { capabilitiesAdd: ["net_admin"] }],
        ["capabilities_drop", { capabilitiesDrop: ["ALL", ""] }],
      ] as const)
        await expectSpecRefused(context, specOf(secured(security as unknown as Security)), {
          ...INVALID,
          field: `${AT}.${name}[${name === "capabilities_add" ? 0 : 1}]`,
        });
    },
  );
});
