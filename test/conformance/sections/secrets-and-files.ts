import { Code } from "@connectrpc/connect";
import { ErrorReason, ObjectStoragePermission } from "@tidybox/protocol";
import { expect } from "vitest";
import { sh, specOf } from "../../../packages/local/src/testing/test-service.ts";
import { section } from "../contract.ts";
import { furnished, SECRETS } from "../furnishings.ts";
import { expectSpecRefused, refuses } from "../refusals.ts";
import { running } from "../sandboxes.ts";

type ContainerInit = NonNullable<Parameters<typeof specOf>[0]>;

const INVALID = { code: Code.InvalidArgument, reason: ErrorReason.INVALID_ARGUMENT };
const NO_STORE = {
  code: Code.FailedPrecondition,
  reason: ErrorReason.SECRET_STORE_NOT_PROVISIONED,
};
const NOT_IMPLEMENTED = { code: Code.Unimplemented, reason: ErrorReason.NOT_IMPLEMENTED };

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

const withSecret = (storeName: string, path: string, envVar: string, field = ""): ContainerInit =>
  ({ secretStores: [{ storeName, secrets: [{ path, field, envVar }] }] }) as ContainerInit;

const SECRET = "containers[0].secret_stores[0].secrets[0]";

export const secretsAndFiles = section("3.14", (says) => {
  says("secrets of several stores become variables, by path, field and name", async (context) => {
    const on = await furnished(context);
    const sandboxId = await running(on, {
      secretStores: [
        {
          storeName: "store",
          secrets: [
            { path: "plain", envVar: "PLAIN" },
            { path: "structured", field: "password", envVar: "PASSWORD" },
          ],
        },
        { storeName: "second", secrets: [{ path: "other", envVar: "OTHER" }] },
      ],
    } as ContainerInit);
    const { stdout } = await sh(on.bed.sandboxes, sandboxId, 'echo "$PLAIN $PASSWORD $OTHER"');
    const { plain, structured } = SECRETS.store;
    expect(stdout).toBe(`${plain} ${structured.password} ${SECRETS.second.other}\n`);
  });

  says("their values are in no answer: the spec shows references", async (context) => {
    const on = await furnished(context);
    const sandboxId = await running(on, withSecret("store", "plain", "SECRET"));
    const { sandboxes } = on.bed;
    const shown = [
      await sandboxes.getSandbox({ sandboxId }),
      await sandboxes.listSandboxes({ tags: [context.tag] }),
    ];
    const text = JSON.stringify(shown, (_, value: unknown) =>
      typeof value === "bigint" ? String(value) : value,
    );
    expect(text).toContain('"storeName":"store"');
    expect(text).not.toContain(SECRETS.store.plain);
  });

  says("an unknown store is not provisioned", async (context) => {
    const expected = { ...NO_STORE, field: "containers[0].secret_stores[0].store_name" };
    await expectSpecRefused(context, specOf(withSecret("unknown", "a", "A")), expected);
    const on = await furnished(context);
    await expectSpecRefused(on, specOf(withSecret("unknown", "plain", "A")), expected);
  });

  says(
    "(our choice) the store `wandb`, built in for W&B callers, is like any other here",
    refuses(
      withSecret("wandb", "key", "KEY"),
      {},
      {
        ...NO_STORE,
        field: "containers[0].secret_stores[0].store_name",
      },
    ),
  );

  says(
    "(our choice) an unknown secret, or a field that it has not, is invalid",
    async (context) => {
      const on = await furnished(context);
      const wrong = [
        ["path", withSecret("store", "unknown", "A")],
        ["field", withSecret("store", "structured", "A")],
        ["field", withSecret("store", "plain", "A", "password")],
      ] as const;
      for (const [field, container] of wrong)
        await expectSpecRefused(on, specOf(container), { ...INVALID, field: `${SECRET}.${field}` });
    },
  );

  says("a reference needs a store, a path and a variable", async (context) => {
    const wrong = [
      ["containers[0].secret_stores[0].store_name", withSecret("", "a", "A")],
      [`${SECRET}.path`, withSecret("store", "", "A")],
      [`${SECRET}.env_var`, withSecret("store", "a", "")],
      [
        "containers[0].secret_stores[0].secrets",
        { secretStores: [{ storeName: "store" }] } as ContainerInit,
      ],
    ] as const;
    for (const [field, container] of wrong)
      await expectSpecRefused(context, specOf(container), { ...INVALID, field });
  });

  says("a variable cannot come from a secret and from elsewhere as well", async (context) => {
    const on = await furnished(context);
    const twice = withSecret("store", "plain", "A");
    await expectSpecRefused(
      on,
      specOf({ ...twice, environmentVariables: { A: "x" } } as ContainerInit),
      {
        ...INVALID,
        field: `${SECRET}.env_var`,
      },
    );
    const secret = { path: "plain", envVar: "A" };
    const stores = { secretStores: [{ storeName: "store", secrets: [secret, secret] }] };
    await expectSpecRefused(on, specOf(stores as ContainerInit), {
      ...INVALID,
      field: "containers[0].secret_stores[0].secrets[1].env_var",
    });
  });

  says("a sandbox has at most 50 references to secrets", async (context) => {
    const on = await furnished(context);
    const references = (count: number): ContainerInit =>
      ({
        secretStores: [
          {
            storeName: "store",
            secrets: Array.from({ length: count }, (_, index) => ({
              ...{ path: "plain", envVar: `SECRET_${index}` },
            })),
          },
        ],
      }) as ContainerInit;
    const sandboxId = await running(on, references(50));
    const { stdout } = await sh(on.bed.sandboxes, sandboxId, "env | grep -c ^SECRET_");
    expect(stdout).toBe("50\n");
    await expectSpecRefused(on, specOf(references(51)), { ...INVALID, field: "containers" });
  });

  says(
    "variables of a container are those of its main process and of commands",
    async (context) => {
      const value = "a b 'c' \"d\" $e\nf";
      const sandboxId = await running(context, {
        environmentVariables: { GIVEN: value, EMPTY: "" },
        ...{ command: "/bin/sh", args: ["-c", 'printf %s "$GIVEN" > main; sleep 1000'] },
      } as ContainerInit);
      const { sandboxes } = context.bed;
      const script = 'until [ -s main ]; do :; done; cat main; printf %s "-$GIVEN-${EMPTY-unset}"';
      expect((await sh(sandboxes, sandboxId, script)).stdout).toBe(`${value}-${value}-`);
    },
  );

  says("a variable needs a name without `=`, and no NUL", async (context) => {
    for (const variables of [{ "": "x" }, { "A=B": "x" }, { A: "x\0" }])
      await expectSpecRefused(
        context,
        specOf({ environmentVariables: variables } as ContainerInit),
        {
          ...INVALID,
          field: "containers[0].environment_variables",
        },
      );
  });

  says(
    "files are there before the main process starts, in folders that the image lacks",
    async (context) => {
      const binary = Uint8Array.from({ length: 256 }, (_, index) => index);
      const sandboxId = await running(context, {
        files: [
          { path: "/workspace/deep/er/text", content: bytes("text\n") },
          { path: "/workspace/binary", content: binary },
          { path: "/workspace/empty", content: new Uint8Array() },
        ],
        command: "/bin/sh",
        args: ["-c", "cat deep/er/text > seen; sleep 1000"],
      } as ContainerInit);
      const { sandboxes } = context.bed;
      const seen = await sh(
        sandboxes,
        sandboxId,
        "until [ -s seen ]; do :; done; cat seen; wc -c < empty",
      );
      expect(seen.stdout).toMatch(/^text\n\s*0\n$/);
      const { content } = await sandboxes.readFile({ sandboxId, path: "/workspace/binary" });
      expect([...content]).toEqual([...binary]);
    },
  );

  says("(our choice) commands can write to files of the spec", async (context) => {
    const sandboxId = await running(context, {
      files: [{ path: "/workspace/file", content: bytes("first\n") }],
    } as ContainerInit);
    const { sandboxes } = context.bed;
    const script = "echo second >> file; cat file";
    expect((await sh(sandboxes, sandboxId, script)).stdout).toBe("first\nsecond\n");
  });

  says(
    "commands find files at their absolute paths",
    async (context) => {
      const sandboxId = await running(context, {
        files: [
          { path: "/opt/settings/file", content: bytes("opt ") },
          { path: "/workspace/file", content: bytes("workspace") },
        ],
      } as ContainerInit);
      const { sandboxes } = context.bed;
      const { stdout } = await sh(sandboxes, sandboxId, "cat /opt/settings/file /workspace/file");
      expect(stdout).toBe("opt workspace");
    },
    {
      unless: {
        process: {
          cannot: "have files in other places than its private folders",
          instead: refuses(
            { files: [{ path: "/opt/settings/file", content: bytes("opt") }] } as ContainerInit,
            {},
            {
              ...{ code: Code.FailedPrecondition, reason: ErrorReason.NO_SUITABLE_RUNNER },
              field: "containers[0]",
            },
          ),
        },
      },
    },
  );

  says("files come back in the spec as they were sent", async (context) => {
    const files = [{ path: "/workspace/file", content: bytes("content") }];
    const sandboxId = await running(context, { files } as ContainerInit);
    const { spec } = await context.bed.sandboxes.getSandbox({ sandboxId });
    expect(Buffer.from(spec?.containers[0]?.files[0]?.content ?? []).toString()).toBe("content");
  });

  says("object storage is not there, and a grant of it refused", async (context) => {
    for (const permission of [ObjectStoragePermission.READ, ObjectStoragePermission.READ_WRITE]) {
      const objectStorageAccess = { buckets: ["data"], permission, objectPrefix: "runs/1/" };
      await expectSpecRefused(context, specOf({}, { objectStorageAccess }), {
        ...NOT_IMPLEMENTED,
        field: "object_storage_access",
      });
    }
  });

  says("credentials for a registry are refused: nothing is pulled", async (context) => {
    const credentials = { storeName: "store", path: "structured" };
    const container = {
      imagePullCredentials: { registry: "registry.example.com", credentials },
    } as ContainerInit;
    await expectSpecRefused(await furnished(context), specOf(container), {
      ...NOT_IMPLEMENTED,
      field: "containers[0].image_pull_credentials",
    });
  });

  says("credentials for a registry need the registry, and a secret", async (context) => {
    const secret = { storeName: "store", path: "structured" };
    const wrong = [
      ["registry", { credentials: secret }],
      ["credentials", { registry: "registry.example.com" }],
      ["credentials", { registry: "registry.example.com", credentials: { storeName: "store" } }],
    ] as const;
    for (const [field, imagePullCredentials] of wrong)
      await expectSpecRefused(context, specOf({ imagePullCredentials } as ContainerInit), {
        ...INVALID,
        field: `containers[0].image_pull_credentials.${field}`,
      });
  });
});
