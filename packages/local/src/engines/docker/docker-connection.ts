import { statSync } from "node:fs";
import { pathToFileURL } from "node:url";
import type Docker from "dockerode";
import { withDeadline } from "../../deadline.ts";
import { LocalServiceError } from "../../error.ts";
import { programFile } from "../../program-file.ts";

/** For everything that Docker does in a moment, on a machine that has much to do. */
const CALL_SECONDS = 30;

const CHECK_SECONDS = 5;

const GROUP_MAY_WRITE = 0o020;
const OTHERS_MAY_WRITE = 0o002;

/** Docker said no, or said nothing in time. */
export class DockerCallError extends Error {
  override readonly name = "DockerCallError";
  /** HTTP status of its answer; undefined when there was none. */
  readonly status: number | undefined;

  constructor(message: string, status: number | undefined, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.status = status;
  }
}

/** Docker's API. Every call has a deadline: a daemon that hangs must not hang the service. */
export class DockerConnection {
  readonly api: Docker;
  /** Groups that the service must keep to reach the socket once it has given root up. */
  readonly groups: readonly number[];

  /** Whether ports on the daemon's loopback are on this machine's: only a socket can be taken for that. */
  get isLocal(): boolean {
    return socketPath() !== undefined;
  }

  private constructor(api: Docker, groups: readonly number[]) {
    this.api = api;
    this.groups = groups;
  }

  /**
   * Call while this process is still whoever started it. Reads `DOCKER_HOST`, `DOCKER_TLS_VERIFY`
   * and `DOCKER_CERT_PATH`; says nothing to the daemon yet. Throws LocalServiceError.
   */
  static async prepare(givesRootUp: boolean): Promise<DockerConnection> {
    const host = process.env["DOCKER_HOST"] ?? "";
    if (host.startsWith("ssh:"))
      throw unavailable(
        `DOCKER_HOST is ${host}, and the local service does not speak ssh`,
        "Forward the socket (ssh -L /tmp/docker.sock:/var/run/docker.sock HOST) and set DOCKER_HOST=unix:///tmp/docker.sock.",
      );
    const loaded = (await import(pathToFileURL(programFile("dockerode")).href)) as {
      readonly Docker: typeof Docker;
    };
    try {
      const api = new loaded.Docker();
      return new DockerConnection(api, givesRootUp ? groupsFor(socketPath()) : []);
    } catch (error) {
      throw error instanceof LocalServiceError ? error : unavailable(String(error), REMEDY);
    }
  }

  /** `what` completes "Docker could not …". Throws DockerCallError. */
  async call<T>(
    what: string,
    work: (options: { readonly abortSignal: AbortSignal }) => Promise<T>,
    seconds = CALL_SECONDS,
  ): Promise<T> {
    const controller = new AbortController();
    try {
      return await withDeadline(work({ abortSignal: controller.signal }), seconds, () => {
        controller.abort();
        return new DockerCallError(
          `Docker could not ${what}: no answer within ${seconds} s`,
          undefined,
        );
      });
    } catch (error) {
      if (error instanceof DockerCallError) throw error;
      const [message, status] = answerIn(error);
      throw new DockerCallError(`Docker could not ${what}: ${message}`, status, { cause: error });
    }
  }

  /** Throws LocalServiceError when nobody answers who could run Linux containers. */
  async check(): Promise<{ readonly cpus: number; readonly hasBridge: boolean }> {
    let system: { readonly OSType?: string; readonly NCPU?: number };
    try {
      system = await this.call(
        "say what it is",
        // Its types do not know that it takes options.
        (options) => Reflect.apply(this.api.info, this.api, [options]) as Promise<typeof system>,
        CHECK_SECONDS,
      );
    } catch (error) {
      throw unavailable(error instanceof Error ? error.message : String(error), REMEDY, error);
    }
    if (system.OSType !== undefined && system.OSType !== "linux")
      throw unavailable(`it runs ${system.OSType} containers`, "Switch it to Linux containers.");
    return { cpus: system.NCPU ?? Infinity, hasBridge: await this.#hasBridge() };
  }

  /** Without it Docker gives containers no network, and says nothing. */
  async #hasBridge(): Promise<boolean> {
    try {
      const bridge = this.api.getNetwork("bridge");
      // Its types do not know what options it takes.
      await this.call(
        "say which networks it has",
        (options) => Reflect.apply(bridge.inspect, bridge, [options]) as Promise<unknown>,
        CHECK_SECONDS,
      );
      return true;
    } catch (error) {
      if (error instanceof DockerCallError && error.status === 404) return false;
      throw unavailable(error instanceof Error ? error.message : String(error), REMEDY, error);
    }
  }
}

/** dockerode alone repeats the body in the address, which has room for little and is no place for secrets. */
export function inBody(body: object, query: Readonly<Record<string, string>> = {}) {
  return { _body: body, _query: query };
}

const REMEDY =
  "Is the daemon running (`docker info`), and may this account use its socket " +
  "(`sudo usermod -aG docker $USER`, then log in again)? DOCKER_HOST names another one, such as unix:///run/user/1000/docker.sock.";

function unavailable(reason: string, remedy: string, cause?: unknown): LocalServiceError {
  return new LocalServiceError(
    "local_engine_unavailable",
    `the engine "docker" does not work on this machine (${whereabouts()}): ${reason}. ${remedy}`,
    { cause },
  );
}

function whereabouts(): string {
  return process.env["DOCKER_HOST"] ?? `socket ${DEFAULT_SOCKET}`;
}

const DEFAULT_SOCKET = "/var/run/docker.sock";

/** Undefined for a daemon that is reached by network. */
function socketPath(): string | undefined {
  const host = process.env["DOCKER_HOST"] ?? "";
  if (host === "") return DEFAULT_SOCKET;
  return host.startsWith("unix://") ? host.slice("unix://".length) || DEFAULT_SOCKET : undefined;
}

/**
 * Root opens any socket; the account that the service becomes opens it as a member of its group,
 * and nothing else of root's is kept.
 */
function groupsFor(path: string | undefined): readonly number[] {
  if (path === undefined) return [];
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw unavailable(`there is no ${path}`, REMEDY);
  if ((stat.mode & OTHERS_MAY_WRITE) !== 0) return [];
  if ((stat.mode & GROUP_MAY_WRITE) !== 0) return [stat.gid];
  throw unavailable(
    `the service gives up root, and only root may use ${path}`,
    `Let a group use it (chgrp docker ${path}; chmod 660 ${path}), or pass keepRoot.`,
  );
}

function answerIn(error: unknown): readonly [message: string, status: number | undefined] {
  if (!(error instanceof Error)) return [String(error), undefined];
  const status: unknown = Reflect.get(error, "statusCode");
  const json: unknown = Reflect.get(error, "json");
  const told: unknown =
    typeof json === "object" && json !== null ? Reflect.get(json, "message") : undefined;
  return [
    typeof told === "string" ? told : error.message.trim(),
    typeof status === "number" ? status : undefined,
  ];
}
