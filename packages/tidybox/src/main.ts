#!/usr/bin/env node
import { closeInheritedDescriptors } from "@tidybox/local/inherited-descriptors";
import { becomeServiceProcess } from "./service-process.ts";

// `serve` may live long, and runs other people's code. Before anything else is loaded: see there.
closeInheritedDescriptors();
if (process.argv[2] === "serve") becomeServiceProcess();

const { runProgram } = await import("./program.ts");
await runProgram();
