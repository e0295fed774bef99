import { constants, closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { clone } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import {
  type Container,
  ErrorReason,
  type SandboxSpec,
  SandboxSpecSchema,
  type SecretMapping,
} from "@tidybox/protocol";
import * as v from "valibot";
import { OBEYED_BY_LIBRARIES } from "../../engines/bubblewrap/entry.ts";
import { LocalServiceError } from "../../error.ts";
import { failure, invalidArgument, notImplemented } from "../failures.ts";

const OTHERS = 0o077;
const MAX_FILE_BYTES = 4 * 1024 * 1024;

const FileSchema = v.record(
  v.string(),
  v.record(v.string(), v.union([v.string(), v.record(v.string(), v.string())])),
);

/** Store name, then secret, then its text or its fields. */
type Stores = v.InferOutput<typeof FileSchema>;

/**
 * Secrets of this machine, which stand in for an organization's stores. Values go into the
 * environment of containers and nowhere else: no message of this file holds one.
 */
export class SecretStores {
  readonly #stores: Stores;

  constructor(stores: Stores = {}) {
    this.#stores = stores;
  }

  /** Reads a private JSON file. Must be called as whoever owns it. Throws LocalServiceError. */
  static read(path: string): SecretStores {
    let text: string;
    try {
      const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
      try {
        const stat = fstatSync(file);
        if (!stat.isFile() || stat.size > MAX_FILE_BYTES)
          throw wrong(path, `must be a file of at most ${MAX_FILE_BYTES} bytes`);
        if ((stat.mode & OTHERS) !== 0 || stat.uid !== (process.getuid?.() ?? stat.uid)) {
          const mode = (stat.mode & 0o777).toString(8);
          throw wrong(path, `must be yours and private (its mode is ${mode}): chmod 600 ${path}`);
        }
        text = readFileSync(file, "utf8");
      } finally {
        closeSync(file);
      }
    } catch (error) {
      if (error instanceof LocalServiceError) throw error;
      throw wrong(path, `cannot be read (${(error as NodeJS.ErrnoException).code ?? "unknown"})`);
    }
    try {
      return new SecretStores(v.parse(FileSchema, JSON.parse(text)));
    } catch {
      // What the parser says may quote the file.
      throw wrong(
        path,
        'must hold JSON such as {"store": {"secret": "value", "structured": {"field": "value"}}}',
      );
    }
  }

  /** Throws for references that lead nowhere. */
  check(spec: SandboxSpec): void {
    for (const [list, containers] of Object.entries({
      init_containers: spec.initContainers,
      containers: spec.containers,
    }))
      for (const [index, container] of containers.entries())
        this.#variablesOf(container, `sandbox.spec.${list}[${index}]`);
  }

  /** The spec with values in place of references. For engines only: it must not be shown. */
  resolve(spec: SandboxSpec): SandboxSpec {
    const all = [...spec.initContainers, ...spec.containers];
    if (all.every(({ secretStores }) => secretStores.length === 0)) return spec;
    const resolved = clone(SandboxSpecSchema, spec);
    for (const container of [...resolved.initContainers, ...resolved.containers]) {
      Object.assign(container.environmentVariables, this.#variablesOf(container, ""));
      container.secretStores = [];
    }
    return resolved;
  }

  #variablesOf(
    { secretStores, environmentVariables }: Container,
    container: string,
  ): Record<string, string> {
    const variables: Record<string, string> = {};
    for (const [at, { storeName, secrets }] of secretStores.entries()) {
      for (const [index, mapping] of secrets.entries()) {
        const field = `${container}.secret_stores[${at}].secrets[${index}]`;
        const { envVar } = mapping;
        if (envVar === "" || envVar === "__proto__" || /[=\0]/.test(envVar))
          throw invalidArgument([
            { field: `${field}.env_var`, description: "must name a variable" },
          ]);
        if (Object.hasOwn(variables, envVar) || Object.hasOwn(environmentVariables, envVar)) {
          const description = `is set by something else as well: ${envVar}`;
          throw invalidArgument([{ field: `${field}.env_var`, description }]);
        }
        if (OBEYED_BY_LIBRARIES.test(envVar))
          throw notImplemented(
            `the local service does not put secrets into ${envVar} (${field}.env_var): that variable passes through arguments, which others can see`,
            [{ field: `${field}.env_var`, description: "passes through arguments here" }],
          );
        variables[envVar] = this.#valueOf(storeName, mapping, field);
      }
      if (secrets.length === 0) this.#store(storeName, `${container}.secret_stores[${at}]`);
    }
    return variables;
  }

  #valueOf(storeName: string, { path, field }: SecretMapping, at: string): string {
    const store = this.#store(storeName, at.slice(0, at.lastIndexOf(".")));
    const secret = Object.hasOwn(store, path) ? store[path] : undefined;
    if (secret === undefined) {
      const description = `names no secret of the store ${JSON.stringify(storeName)}: ${JSON.stringify(path)}`;
      throw invalidArgument([{ field: `${at}.path`, description }]);
    }
    if (typeof secret === "string" && field === "") return secret;
    const part =
      typeof secret === "object" && Object.hasOwn(secret, field) ? secret[field] : undefined;
    if (part !== undefined) return part;
    const description =
      typeof secret === "string"
        ? `must be empty: ${JSON.stringify(path)} has no fields`
        : `must be one of ${Object.keys(secret).join(", ")}`;
    throw invalidArgument([{ field: `${at}.field`, description }]);
  }

  #store(name: string, at: string): Stores[string] {
    const store = Object.hasOwn(this.#stores, name) ? this.#stores[name] : undefined;
    if (store !== undefined) return store;
    const field = `${at}.store_name`;
    const description = `there is no secret store ${JSON.stringify(name)} on this local service: put it into the file given as \`secretsFile\` (\`tidybox serve --secrets\`)`;
    throw failure(
      Code.FailedPrecondition,
      ErrorReason.SECRET_STORE_NOT_PROVISIONED,
      `${field}: ${description}`,
      { violations: [{ field, description }] },
    );
  }
}

function wrong(path: string, what: string): LocalServiceError {
  return new LocalServiceError(
    "local_option_invalid",
    `local service: option secretsFile: ${path} ${what}`,
  );
}
