import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { MAX_MESSAGE_BYTES } from "@tidybox/protocol";
import { afterEach } from "vitest";
import { startTestService, type TestService, type TestServiceOptions } from "./test-service.ts";

/** Starts services, and makes folders, that are gone after each test of the file. */
export function startedServices() {
  const services = new Set<TestService>();
  const folders: string[] = [];
  afterEach(async () => {
    for (const service of services) await service.close();
    services.clear();
    for (const made of folders.splice(0)) rmSync(made, { recursive: true, force: true });
  });
  return {
    start: async (options: TestServiceOptions = {}): Promise<TestService> => {
      const service = await startTestService({ engine: "bubblewrap", ...options });
      services.add(service);
      return service;
    },
    close: async (service: TestService): Promise<void> => {
      services.delete(service);
      await service.close();
    },
    /** SIGKILL; what it left in its temp folder goes too. */
    kill: async (service: TestService): Promise<void> => {
      services.delete(service);
      const gone = new Promise((resolve) => service.process.once("exit", resolve));
      service.process.kill("SIGKILL");
      await gone;
      folders.push(service.folder);
    },
    folder: (): string => {
      const made = mkdtempSync("/tmp/tidybox-test-resources-");
      folders.push(made);
      chmodSync(made, 0o755);
      return made;
    },
  };
}

/** For clients of other services than SandboxService. */
export function transportOf({ baseUrl, token }: Pick<TestService, "baseUrl" | "token">) {
  return createGrpcTransport({
    baseUrl,
    readMaxBytes: MAX_MESSAGE_BYTES,
    writeMaxBytes: MAX_MESSAGE_BYTES,
    interceptors: [
      (next) => (request) => {
        request.header.set("authorization", `Bearer ${token}`);
        return next(request);
      },
    ],
  });
}
