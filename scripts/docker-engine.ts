import { spawn } from "node:child_process";
import {
  access,
  constants,
  mkdir,
  readFile,
  rm,
  symlink,
  writeFile,
  copyFile,
} from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import Docker from "dockerode";
import { runCommand } from "./command.ts";
import { makeTestBridge, removeTestBridge } from "./docker-bridge.ts";

const START_SECONDS = 20;
const STOP_SECONDS = 15;
const PACKAGES = ["docker.io", "busybox-static"] as const;

/** A Docker daemon of the tests' own. */
export interface TestDocker {
  /** For every process that runs tests. */
  readonly environment: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/**
 * Starts a Docker daemon for the tests of the engine `docker`, in `folder`, with images made from
 * this machine's busybox, bash and Node: nothing is pulled. It has a bridge of its own where this
 * machine can make one, over which containers reach this machine and nothing else. Installs docker.io where that needs nobody's permission.
 * Never fails: without it those tests are skipped, and this says why. A daemon of the user's own is
 * never touched.
 */
export async function startTestDocker(
  folder: string,
  signal?: AbortSignal,
): Promise<TestDocker | undefined> {
  const missing = await reasonAgainst(signal);
  if (missing !== undefined) {
    console.log(`docker  ${missing}; the tests of the engine docker are skipped`);
    return undefined;
  }
  await mkdir(folder, { mode: 0o711 });
  const socket = join(folder, "docker.sock");
  const bridge = await makeTestBridge();
  const args = [
    ...["--host", `unix://${socket}`, "--pidfile", join(folder, "dockerd.pid")],
    ...["--data-root", join(folder, "data"), "--exec-root", join(folder, "exec")],
    // But for the bridge it changes nothing on this machine: ports go through its own proxy.
    ...["--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"],
    ...["--bridge", bridge?.name ?? "none"],
  ];
  const daemon = spawn("dockerd", args, { stdio: "ignore", detached: true });
  daemon.on("error", () => {});
  const ended = new Promise<void>((resolve) => daemon.once("exit", () => resolve()));
  const stop = async (): Promise<void> => {
    daemon.kill("SIGTERM");
    await Promise.race([ended, sleep(STOP_SECONDS * 1000, undefined, { ref: false })]);
    if (daemon.exitCode === null && daemon.signalCode === null) await killAll(folder, daemon.pid);
    await removeTestBridge(bridge?.name);
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  };
  try {
    const docker = new Docker({ socketPath: socket });
    await answers(docker, () => daemon.exitCode !== null, signal);
    await makeImages(docker, folder);
    const environment = {
      TIDYBOX_TEST_DOCKER_HOST: `unix://${socket}`,
      ...(bridge && { TIDYBOX_TEST_DOCKER_GATEWAY: bridge.address }),
    };
    return { environment, stop };
  } catch (error) {
    await stop();
    const reason = error instanceof Error ? error.message : String(error);
    console.log(`docker  no daemon here: ${reason}; the tests of the engine docker are skipped`);
    return undefined;
  }
}

/** Undefined when everything is there to start one. */
async function reasonAgainst(signal?: AbortSignal): Promise<string | undefined> {
  if (process.platform !== "linux" || process.getuid?.() !== 0)
    return "a daemon of the tests' own needs root on Linux";
  const wanted = ["dockerd", "busybox"];
  if ((await Promise.all(wanted.map(onPath))).every(Boolean)) return undefined;
  if (process.env["TIDYBOX_SKIP_INSTALL"] === "1")
    return "docker.io or busybox-static is missing, and TIDYBOX_SKIP_INSTALL=1 keeps them from being installed";
  if (!(await onPath("apt-get"))) return "docker.io and busybox-static are missing";
  console.log(
    `docker  installing ${PACKAGES.join(" and ")} (apt-get install ${PACKAGES.join(" ")})`,
  );
  const aptGet = (timeoutSeconds: number, ...args: readonly string[]) =>
    runCommand("apt-get", args, {
      timeoutSeconds,
      environment: { DEBIAN_FRONTEND: "noninteractive" },
      ...(signal === undefined ? {} : { signal }),
    });
  const installArguments = ["install", "-y", "--no-install-recommends", ...PACKAGES];
  let result = await aptGet(120, ...installArguments);
  if (!result.ok) {
    await aptGet(90, "update");
    result = await aptGet(90, ...installArguments);
  }
  if (result.ok) return undefined;
  return `docker.io could not be installed: ${result.problem}. ${result.output.trim().split("\n").at(-1) ?? ""}`;
}

async function answers(
  docker: Docker,
  hasEnded: () => boolean,
  signal?: AbortSignal,
): Promise<void> {
  for (let waited = 0; ; waited += 0.1) {
    signal?.throwIfAborted();
    try {
      const ping: unknown = Reflect.apply(docker.ping, docker, [
        { abortSignal: AbortSignal.timeout(2000) },
      ]);
      await ping;
      return;
    } catch (error) {
      if (waited >= START_SECONDS || hasEnded()) throw error;
      await sleep(100);
    }
  }
}

/** `python:3.11` is what sandboxes run that name no image; here it has what the tests run. */
async function makeImages(docker: Docker, folder: string): Promise<void> {
  const root = join(folder, "root");
  for (const path of ["bin", "etc", "tmp", "root", "proc", "sys", "dev"])
    await mkdir(join(root, path), { recursive: true });
  const busybox = await programFile("busybox");
  // It succeeds for what is linked to libraries, which the image does not have.
  if ((await runCommand("ldd", [busybox], { timeoutSeconds: 10 })).ok)
    throw new Error("busybox needs libraries; get the other one: apt-get install busybox-static");
  await copyFile(busybox, join(root, "bin", "busybox"));
  const listed = await runCommand("busybox", ["--list"], { timeoutSeconds: 10 });
  for (const name of listed.stdout.split("\n")) {
    if (name !== "" && name !== "busybox") await symlink("busybox", join(root, "bin", name));
  }
  // Before busybox's, whose `sh` is not `bash`.
  await copyProgram(await programFile("bash"), "/bin/bash", root);
  await copyProgram(process.execPath, "/bin/node", root);
  await writeFile(join(root, "etc", "passwd"), "root:x:0:0:root:/root:/bin/sh\n");
  await writeFile(join(root, "etc", "group"), "root:x:0:\n");
  await writeFile(join(root, "etc", "test-image"), "busybox\n");
  await importImage(docker, root, ["."], "busybox");
  await docker.getImage("tidybox-test:busybox").tag({ repo: "python", tag: "3.11" });
  await importImage(docker, root, ["etc"], "no-shell");
  await rm(root, { recursive: true });
}

/** A program with the libraries that it is linked to. */
async function copyProgram(program: string, inside: string, root: string): Promise<void> {
  const linked = await runCommand("ldd", [program], { timeoutSeconds: 10 });
  if (!linked.ok) throw new Error(`ldd ${program}: ${linked.problem}`);
  const libraries = [...linked.stdout.matchAll(/(?:=> |^\s+)(\/\S+) \(0x/gm)].map(
    ([, path]) => path ?? "",
  );
  for (const [from, to] of [[program, inside], ...libraries.map((path) => [path, path])]) {
    const target = join(root, to ?? "");
    await mkdir(dirname(target), { recursive: true });
    await copyFile(from ?? "", target, constants.COPYFILE_FICLONE);
  }
}

async function importImage(
  docker: Docker,
  root: string,
  paths: readonly string[],
  tag: string,
): Promise<void> {
  const archive = join(root, "..", `${tag}.tar`);
  const packed = await runCommand("tar", ["-C", root, "-cf", archive, ...paths], {
    timeoutSeconds: 30,
  });
  if (!packed.ok) throw new Error(`tar: ${packed.problem}`);
  const progress = await docker.importImage(archive, { repo: "tidybox-test", tag });
  await new Promise<void>((resolve, reject) => {
    docker.modem.followProgress(progress, (error) =>
      error === null || error === undefined ? resolve() : reject(error),
    );
  });
  await rm(archive);
}

/** It did not end: neither may the container runtime that it has started. */
async function killAll(folder: string, pid: number | undefined): Promise<void> {
  const runtime = await readFile(join(folder, "exec/containerd/containerd.pid"), "utf8").catch(
    () => "",
  );
  for (const each of [pid, Number(runtime)]) {
    if (each === undefined || !(each > 1)) continue;
    try {
      process.kill(each, "SIGKILL");
    } catch {
      // It ended a moment ago.
    }
  }
}

async function programFile(program: string): Promise<string> {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    const path = join(folder, program);
    const found = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return path;
  }
  throw new Error(`there is no ${program}`);
}

function onPath(program: string): Promise<boolean> {
  return programFile(program).then(
    () => true,
    () => false,
  );
}
