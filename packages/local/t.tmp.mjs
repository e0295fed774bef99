const t0=performance.now(); const m = await import("./dist/index.js"); console.log("import", (performance.now()-t0).toFixed(0)); const t1=performance.now();
const s=await m.startLocalService({engine:"bubblewrap"}); console.log("start", (performance.now()-t1).toFixed(0)); const t2=performance.now(); await s.close(); console.log("close",(performance.now()-t2).toFixed(0));
