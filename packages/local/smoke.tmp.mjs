import { startLocalService, findLocalServices } from "./dist/index.js";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { SandboxService, State } from "@tidybox/protocol";
const t0=performance.now();
const s = await startLocalService({ engine: process.argv[2] ?? "auto", label: "smoke", onNotice: n => console.log("NOTICE", n.code, n.message) });
console.log("started", (performance.now()-t0).toFixed(0), "ms", s.engine, "uid", process.getuid());
const transport = createGrpcTransport({ baseUrl: s.baseUrl, interceptors: [next => req => { req.header.set("authorization", "Bearer "+s.token); return next(req); }] });
const c = createClient(SandboxService, transport);
try {
  console.log(await findLocalServices());
  const spec = { containers: [{ name: "main", image: "python:3.11", command: "/bin/sh", args: ["-c", "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done"], environmentVariables: { A: "b" }, files: s.engine==="process"?[]:[{path:"/etc/x.conf", content: Buffer.from("hi")},{path:"/opt/app/y", content: Buffer.from("yo")}] }], tags: ["t"] };
  for (let i=0;i<3;i++) {
    const a=performance.now();
    const sb = await c.createSandbox({ sandbox: { spec }, requestId: "r"+i });
    const b=performance.now();
    const r = await c.exec({ sandboxId: sb.sandboxId, command: ["sh","-c","id; pwd; which node python3; python3 -c 'import ssl;print(2+2)'; node -v; echo e >/dev/stderr; env; ls -la / /root; cat /etc/x.conf /opt/app/y; grep -i cap /proc/self/status; ps aux 2>/dev/null | head"] });
    const d=performance.now();
    if(i==0){console.log(r.stdout && Buffer.from(r.stdout).toString(), Buffer.from(r.stderr).toString(), r.exitCode);}
    const g = await c.getSandbox({ sandboxId: sb.sandboxId });
    const e=performance.now();
    const del = await c.deleteSandbox({ sandboxId: sb.sandboxId, gracePeriodSeconds: i });
    const f=performance.now();
    console.log("create",(b-a).toFixed(1),"exec",(d-b).toFixed(1),"get",(e-d).toFixed(1),"delete",(f-e).toFixed(1), State[g.status.state], State[del.sandbox.status.state], del.sandbox.status.stateReason, del.sandbox.status.exitCode);
  }
} catch (e) { console.error(e); }
await s.close();
console.log("closed");
