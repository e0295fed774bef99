import type Docker from "dockerode";

/** Milliseconds of each part. */
export type DockerPhases = Readonly<Record<"create" | "exec" | "remove", number>>;

/** What anybody writes who has dockerode and no tidybox. */
export async function bareDocker(api: Docker, image: string): Promise<DockerPhases> {
  const started = performance.now();
  const container = await api.createContainer({
    Image: image,
    Entrypoint: ["/bin/sh", "-c", "read -r _"],
    Cmd: [],
    WorkingDir: "/workspace",
    OpenStdin: true,
    HostConfig: {
      Init: true,
      NetworkMode: "none",
      PidsLimit: 4096,
      SecurityOpt: ["no-new-privileges"],
      LogConfig: { Type: "none", Config: {} },
    },
  });
  await container.start();
  const created = performance.now();
  const exec = await container.exec({
    Cmd: ["true"],
    AttachStdout: true,
    AttachStderr: true,
  });
  const output = await exec.start({});
  output.resume();
  await new Promise((resolve) => output.once("end", resolve));
  const { ExitCode: exitCode } = await exec.inspect();
  if (exitCode !== 0) throw new Error(`true ended with ${exitCode}`);
  const executed = performance.now();
  await container.remove({ force: true });
  const removed = performance.now();
  return { create: created - started, exec: executed - created, remove: removed - executed };
}
