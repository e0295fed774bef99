import { runContract } from "./run-contract.ts";

runContract("bubblewrap-user");
