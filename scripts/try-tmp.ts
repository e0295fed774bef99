import { readTarball, findFlaws } from "../test/packaging/tarball.ts";
import { runCommand, workspaceBinary } from "./command.ts";
import { readdirSync } from "node:fs";
for (const f of readdirSync("/tmp/tb-try")) {
  const p = "/tmp/tb-try/" + f;
  const t = await readTarball(p);
  console.log(f, [...t.files.keys()].length, findFlaws(t));
  const a = await runCommand(workspaceBinary("publint"), ["run", p, "--strict"], { timeoutSeconds: 60 });
  console.log(a.problem, a.output);
  const dual = JSON.stringify(t.manifest.exports).includes('"require"');
  const b = await runCommand(workspaceBinary("attw"), [p, "--profile="+(dual?"node16":"esm-only"), "--format=ascii","--no-emoji","--no-color","--no-definitely-typed"], { timeoutSeconds: 60 });
  console.log(b.problem, b.seconds, b.output.slice(0,1500));
}
