#!/usr/bin/env node
import { closeInheritedDescriptors } from "@tidybox/local/inherited-descriptors";

// `serve` may live long, and runs other people's code. Before anything else is loaded: see there.
closeInheritedDescriptors();

const { runProgram } = await import("./program.ts");
await runProgram();
