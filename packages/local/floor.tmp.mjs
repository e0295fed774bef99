import { fork } from "node:child_process"; import { once } from "node:events";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { SandboxService } from "@tidybox/protocol";
const child = fork("./serve.tmp.mjs", [JSON.stringify({engine: "bubblewrap"})]);
const [s] = await once(child, "message");
const transport = createGrpcTransport({ baseUrl: s.baseUrl, interceptors: [next => req => { req.header.set("authorization", "Bearer "+s.token); return next(req); }] });
const c = createClient(SandboxService, transport);
for (let k=0;k<5;k++){const t=performance.now(); for(let i=0;i<200;i++) await c.listSandboxes({}); console.log("unary avg", ((performance.now()-t)/200).toFixed(2));}
child.send("close"); await once(child,"exit"); process.exit(0);
