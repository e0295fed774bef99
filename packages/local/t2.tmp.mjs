import { startLocalService } from "./dist/index.js";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { SandboxService } from "@tidybox/protocol";
const s = await startLocalService({engine:"bubblewrap"});
const c = createClient(SandboxService, createGrpcTransport({ baseUrl: s.baseUrl, interceptors: [next => req => { req.header.set("authorization", "Bearer "+s.token); return next(req); }] }));
const sb = await c.createSandbox({ sandbox: { spec: { containers: [{name:"main", image:"python:3.11"}] } } });
for (const cmd of [["true"],["python3","-c","print(1)"],["python3","-c","print(1)"],["python3","-I","-S","-c","print(1)"],["/usr/bin/python3","-c","print(1)"],["node","-v"],["python3","-X","importtime","-c","import ssl"]]) {
 const t=performance.now(); const r=await c.exec({sandboxId:sb.sandboxId, command:cmd}); console.log(cmd.join(" "), (performance.now()-t).toFixed(0), r.exitCode);
 if(cmd.includes("importtime")) console.log(Buffer.from(r.stderr).toString().split("\n").sort((a,b)=>(+b.split("|")[1])-(+a.split("|")[1])).slice(0,6).join("\n"));
}
await s.close();
