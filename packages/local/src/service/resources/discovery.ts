import { freemem, totalmem, availableParallelism } from "node:os";
import { create } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { Code, type ServiceImpl } from "@connectrpc/connect";
import {
  type AvailableRunner,
  AvailableRunnerSchema,
  type DiscoveryService,
  ErrorReason,
  type ListAvailableRunnersRequest,
  ListAvailableRunnersResponseSchema,
  RunnerView,
  Visibility,
} from "@tidybox/protocol";
import { failure, invalidArgument } from "../failures.ts";
import { decodePageToken } from "../page-token.ts";
import type { Sandboxes } from "../sandboxes.ts";

/** As container images name them. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/** Those that sandboxes can have for their ports, where the engine publishes any. */
const VISIBILITIES = [Visibility.PUBLIC, Visibility.PRIVATE, Visibility.CUSTOM] as const;

/** `DiscoveryService` with one runner: this machine, under the id that its sandboxes report. */
export function discoveryService(
  runnerId: string,
  sandboxes: Sandboxes,
): ServiceImpl<typeof DiscoveryService> {
  const connectedAt = timestampNow();
  const architecture = ARCHITECTURES[process.arch] ?? process.arch;

  const visibilities: readonly Visibility[] = sandboxes.publishesPorts ? VISIBILITIES : [];

  const runner = (view: RunnerView): AvailableRunner =>
    create(AvailableRunnerSchema, {
      runnerId,
      healthy: sandboxes.unavailable === undefined,
      connectedAt,
      capabilities: {
        maxCpuMillicores: BigInt(availableParallelism() * 1000),
        maxMemoryBytes: BigInt(totalmem()),
        supportedArchitectures: [architecture],
        supportedServiceVisibilities: [...visibilities],
      },
      ...(view === RunnerView.FULL && {
        resources: {
          // Sandboxes share the machine: none of them takes a part of it away from the others.
          availableCpuMillicores: BigInt(availableParallelism() * 1000),
          availableMemoryBytes: BigInt(freemem()),
          runningSandboxes: sandboxes.registry.activeCount,
        },
      }),
    });

  const matches = (request: ListAvailableRunnersRequest): boolean =>
    request.runnerGroupId === "" &&
    request.gpuType === "" &&
    ["", architecture].includes(request.architecture.toLowerCase()) &&
    (!request.healthyOnly || sandboxes.unavailable === undefined) &&
    [Visibility.UNSPECIFIED, ...visibilities].includes(request.serviceVisibility);

  return {
    listAvailableRunners: (request) => {
      const after = decodePageToken(request.pageToken);
      if (after === undefined) {
        const description = "is not a token of this service; use next_page_token as it is";
        throw invalidArgument([{ field: "page_token", description }]);
      }
      if (request.pageSize < 0)
        throw invalidArgument([{ field: "page_size", description: "must not be negative" }]);
      // One runner: every page but the first is empty, and none has another behind it.
      const runners = after === 0 && matches(request) ? [runner(request.view)] : [];
      return create(ListAvailableRunnersResponseSchema, { runners });
    },
    getAvailableRunner: (request) => {
      if (request.runnerId !== runnerId || request.organizationId !== "") {
        const message = `there is no runner ${JSON.stringify(request.runnerId)} here; the one of this machine is ${runnerId}`;
        throw failure(Code.NotFound, ErrorReason.RUNNER_NOT_FOUND, message);
      }
      return runner(request.view === RunnerView.BASIC ? RunnerView.BASIC : RunnerView.FULL);
    },
  };
}
