import { startLocalService } from "./dist/index.js";
const s = await startLocalService({ ...JSON.parse(process.argv[2] ?? "{}"), onNotice: n => console.error("NOTICE", n.code, n.message) });
process.send?.({ baseUrl: s.baseUrl, token: s.token });
process.on("message", async () => { await s.close(); process.disconnect(); });
