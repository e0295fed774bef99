import type { Sandbox } from "@tidybox/client";

export interface FoundTool {
  readonly name: string;
  /** Undefined where there is none. */
  readonly path: string | undefined;
  /** First line of what it says of itself; empty where it says nothing. */
  readonly version: string;
}

const TOOLS = [
  "sh",
  "bash",
  "python3",
  "pip3",
  "node",
  "npm",
  "git",
  "curl",
  "tar",
  "gcc",
] as const;

/** Shells such as dash have no `--version`, and complain: their words would be no version. */
const SCRIPT = `
for tool in ${TOOLS.join(" ")}; do
  path=$(command -v "$tool" 2>/dev/null) || path=
  version=
  if [ -n "$path" ]; then version=$("$tool" --version 2>/dev/null </dev/null | head -n 1); fi
  printf '%s\\t%s\\t%s\\n' "$tool" "$path" "$version"
done
`;

const SECONDS = 30;

/** What programs a sandbox finds, by its own PATH. */
export async function toolsInside(sandbox: Sandbox): Promise<readonly FoundTool[]> {
  const { stdout } = await sandbox.exec(["/bin/sh", "-c", SCRIPT], {
    check: true,
    timeoutSeconds: SECONDS,
  });
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => {
      const [name = "", path = "", version = ""] = line.split("\t");
      return { name, path: path === "" ? undefined : path, version };
    });
}
